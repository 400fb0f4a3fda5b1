import { words, wordsText } from "../support/model";
import { answerOf, ask, composer, open, painted, reload, stopButton } from "../support/pages";
import { startConversation } from "../support/people";
import { LINE_BROKEN } from "../support/problems";
import { expect, test } from "../support/fixtures";

const WORDS = 300;
const WHOLE = wordsText(WORDS);
/** Requests for the events of a conversation, and for who looks at it. */
const EVENTS_OR_VISIT = /\/conversations\/[^/]+\/events\?|\/api\/get_visit/;

test("text appears while it is being written", async ({ page, api, agent, model }) => {
  const gate = model.hold(words(WORDS));
  await open(page, await startConversation(api, agent));
  await ask(page, "How was last week?");

  gate.release(5);
  await expect(answerOf(page, agent.name)).toHaveText(wordsText(5));
  await expect(stopButton(page)).toBeVisible();
  gate.release(5);
  await expect(answerOf(page, agent.name)).toHaveText(wordsText(10));
  gate.finish();

  await expect(answerOf(page, agent.name)).toHaveText(WHOLE);
  await expect(stopButton(page)).toBeHidden();
  await expect(composer(page)).toHaveValue("");
});

test("a conversation is begun by choosing an agent", async ({ page, agent, model }) => {
  model.next({ chunks: ["hello ", "Ada"] });
  await open(page, "/conversations");

  await page.getByRole("main").getByRole("button", { name: agent.name }).click();
  await expect(page).toHaveURL(/\/conversations\/[0-9a-f-]{36}/);
  await ask(page, "Who are you talking to?");

  await expect(answerOf(page, agent.name)).toHaveText("hello Ada");
  const list = page.getByRole("navigation", { name: "Conversations" });
  await expect(list.getByRole("link", { name: /Who are you talking to/ })).toBeVisible();
  await page.goto("/conversations");
  await expect(page.getByRole("link", { name: /Who are you talking to/ })).toBeVisible();
});

test("Enter sends, and a second question gets its own answer", async ({ page, api, agent, model }) => {
  model.next({ chunks: ["first ", "answer"] });
  model.next({ chunks: ["second ", "answer"] });
  await open(page, await startConversation(api, agent));

  await composer(page).fill("One?");
  await composer(page).press("Enter");
  await expect(answerOf(page, agent.name)).toHaveText("first answer");
  await composer(page).fill("Two?");
  await composer(page).press("Enter");

  await expect(answerOf(page, agent.name)).toHaveText("second answer");
  await expect(page.getByRole("article")).toHaveCount(4);
  expect(JSON.stringify(model.requests.at(-1))).toContain("first answer");
});

test("reload in the middle of an answer ends with the same text", async ({ page, api, agent, model }) => {
  const gate = model.hold(words(WORDS));
  await open(page, await startConversation(api, agent));
  await ask(page, "How was last week?");
  gate.release(100);
  await expect(answerOf(page, agent.name)).toHaveText(wordsText(100));

  await reload(page);

  await expect(answerOf(page, agent.name)).toHaveText(wordsText(100));
  gate.release(50);
  await expect(answerOf(page, agent.name)).toHaveText(wordsText(150));
  gate.finish();
  await expect(answerOf(page, agent.name)).toHaveText(WHOLE);
  await reload(page);
  await expect(answerOf(page, agent.name)).toHaveText(WHOLE);
});

test("a second tab shows the same text", async ({ page, context, api, agent, model }) => {
  const gate = model.hold(words(WORDS));
  const path = await startConversation(api, agent);
  const second = await context.newPage();
  await open(page, path);
  await open(second, path);
  await ask(page, "How was last week?");
  gate.release(100);
  const third = await context.newPage();
  await open(third, path);

  for (const tab of [page, second, third]) {
    await expect(answerOf(tab, agent.name)).toHaveText(wordsText(100));
  }
  gate.finish();

  for (const tab of [page, second, third]) {
    await expect(answerOf(tab, agent.name)).toHaveText(WHOLE);
    await expect(tab.getByRole("article")).toHaveCount(2);
  }
});

test("a lost network costs nothing", async ({ page, api, agent, model, server, problems }) => {
  problems.allow(LINE_BROKEN);
  const gate = model.hold(words(WORDS));
  await open(page, await startConversation(api, agent));
  await ask(page, "How was last week?");
  gate.release(100);
  await expect(answerOf(page, agent.name)).toHaveText(wordsText(100));
  const before = server.network.cutConnections;

  await page.context().setOffline(true);
  server.network.cut();
  expect(server.network.cutConnections).toBeGreaterThan(before);
  gate.release(100);
  await expect(answerOf(page, agent.name)).toHaveText(wordsText(100));
  server.network.restore();
  await page.context().setOffline(false);

  await expect(answerOf(page, agent.name)).toHaveText(wordsText(200), { timeout: 20_000 });
  gate.finish();
  await expect(answerOf(page, agent.name)).toHaveText(WHOLE);
  await expect(page.getByRole("article")).toHaveCount(2);
});

test("a server that is out of order for a while takes nothing off the page", async ({
  page,
  api,
  agent,
  model,
  server,
  problems,
}) => {
  problems.allow(LINE_BROKEN, /answer: 503/, /status of 503/);
  model.next({ chunks: ["first ", "answer"] });
  model.next({ chunks: ["second ", "answer"] });
  await open(page, await startConversation(api, agent));
  await ask(page, "How was last week?");
  await expect(answerOf(page, agent.name)).toHaveText("first answer");
  await composer(page).fill("And the week before?");
  const lost = page.getByText("Connection lost, trying again");

  await page.route(EVENTS_OR_VISIT, (route) => route.fulfill({ status: 503 }));
  const visit = page.waitForResponse(/\/api\/get_visit/);
  server.network.cut();
  server.network.restore();
  expect((await visit).status()).toBe(503);
  await (await visit).finished();
  await painted(page);

  await expect(lost).toBeVisible();
  await expect(answerOf(page, agent.name)).toHaveText("first answer");
  await expect(composer(page)).toHaveValue("And the week before?");
  await page.unroute(EVENTS_OR_VISIT);
  await expect(lost).toBeHidden({ timeout: 20_000 });
  await composer(page).press("Enter");
  await expect(answerOf(page, agent.name)).toHaveText("second answer");
});

test("kill -9 of the server in the middle of an answer ends with the whole text, once", async ({
  page,
  api,
  agent,
  model,
  server,
  problems,
}) => {
  test.setTimeout(120_000);
  problems.allow(LINE_BROKEN, /answer: 503/, /status of 503/);
  const asked = model.requests.length;
  const gate = model.hold(words(WORDS));
  model.next({ chunks: words(WORDS) });
  await open(page, await startConversation(api, agent));
  await ask(page, "How was last week?");
  gate.release(100);
  await expect(answerOf(page, agent.name)).toHaveText(wordsText(100));

  await server.kill9();
  await server.launch();

  await expect(answerOf(page, agent.name)).toHaveText(WHOLE, { timeout: 45_000 });
  await expect(page.getByRole("article")).toHaveCount(2);
  await expect(stopButton(page)).toBeHidden();
  expect(model.requests.length - asked, "the model was asked again").toBe(2);
  await reload(page);
  await expect(answerOf(page, agent.name)).toHaveText(WHOLE);
  await expect(page.getByRole("article")).toHaveCount(2);
});

test("an ordinary restart in the middle of an answer loses nothing either", async ({
  page,
  api,
  agent,
  model,
  server,
  problems,
}) => {
  test.setTimeout(120_000);
  problems.allow(LINE_BROKEN, /answer: 503/, /status of 503/);
  const gate = model.hold(words(WORDS));
  model.next({ chunks: words(WORDS) });
  await open(page, await startConversation(api, agent));
  await ask(page, "How was last week?");
  gate.release(100);
  await expect(answerOf(page, agent.name)).toHaveText(wordsText(100));

  await server.restart();

  await expect(answerOf(page, agent.name)).toHaveText(WHOLE, { timeout: 45_000 });
  await expect(page.getByRole("article")).toHaveCount(2);
});

test("stop ends the answer, keeps what was said and hangs up on the model", async ({ page, api, agent, model }) => {
  const gate = model.hold(words(WORDS));
  await open(page, await startConversation(api, agent));
  await ask(page, "How was last week?");
  gate.release(10);
  await expect(answerOf(page, agent.name)).toHaveText(wordsText(10));

  await stopButton(page).click();

  await expect(stopButton(page)).toBeHidden();
  await expect.poll(() => model.openStreams).toBe(0);
  await expect(answerOf(page, agent.name)).toHaveText(wordsText(10));
  model.next({ chunks: ["still ", "here"] });
  await ask(page, "And now?");
  await expect(answerOf(page, agent.name)).toHaveText("still here");
});

test("a model that refuses is told in words, and the conversation goes on", async ({ page, api, agent, model }) => {
  model.next({ chunks: [], status: 401 });
  const path = await startConversation(api, agent);
  await open(page, path);
  await ask(page, "How was last week?");

  await expect(page.getByText(/^This answer failed\. .*does not accept the key/)).toBeVisible();
  await expect(stopButton(page)).toBeHidden();
  model.next({ chunks: ["better ", "now"] });
  await ask(page, "And now?");
  await expect(answerOf(page, agent.name)).toHaveText("better now");
});
