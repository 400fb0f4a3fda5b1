import type { Locator, Page } from "@playwright/test";
import { answerOf, ask, open, reload } from "../support/pages";
import { createScriptedAgent, startConversation } from "../support/people";
import { SCRIPT_OFF } from "../support/problems";
import { expect, test } from "../support/fixtures";

/** Sooner than the navigation looks by itself. */
const AT_ONCE_MS = 8_000;

/** The number of questions in the navigation. */
const waiting = (page: Page): Locator =>
  page.getByRole("navigation", { name: "Pages" }).getByLabel(/^\d+ waiting$/);

const ASKING = [{ builtin: "calculator", approval: "always" }];

test("a tool call is shown with its arguments and its result", async ({ page, api, model }) => {
  const agent = await createScriptedAgent(api, model, "Counting Clerk", [{ builtin: "calculator" }]);
  model.next({ chunks: ["Let me ", "count. "], tools: [["calculator", { expression: "6*7" }]] });
  model.next({ chunks: ["It is ", "42."] });
  await open(page, await startConversation(api, agent));

  await ask(page, "What is 6*7?");

  await expect(answerOf(page, agent.name)).toHaveText("It is 42.");
  await expect(page.locator(".message-head:visible"), "the agent is named once").toHaveCount(1);
  for (const step of ["live", "reloaded"]) {
    if (step === "reloaded") await reload(page);
    const call = page.getByRole("article", { name: agent.name }).first().locator("details.tool");
    await expect(call).toContainText("calculator");
    await call.locator("summary").click();
    await expect(call.locator(".args")).toContainText("6*7");
    await expect(call.locator("pre")).toHaveText("42");
  }
});

test("a call that asks waits for a person in the conversation", async ({ page, api, model }) => {
  const agent = await createScriptedAgent(api, model, "Careful Clerk", ASKING);
  model.next({ chunks: [], tools: [["calculator", { expression: "1+1" }]] });
  model.next({ chunks: ["two"] });
  await open(page, await startConversation(api, agent));
  await ask(page, "What is 1+1?");
  const question = page.getByRole("region", { name: /May the agent call/ });
  await expect(question).toContainText("1+1");
  await expect(waiting(page)).toBeVisible({ timeout: AT_ONCE_MS });

  await reload(page);
  await question.getByRole("button", { name: "Approve once" }).click();

  await expect(answerOf(page, agent.name)).toHaveText("two");
  await expect(question).toBeHidden();
});

test("arguments are changed before a call is approved", async ({ page, api, model, problems }) => {
  problems.allow(/422/);
  const agent = await createScriptedAgent(api, model, "Careful Clerk", ASKING);
  model.next({ chunks: [], tools: [["calculator", { expression: "1+1" }]] });
  model.next({ chunks: ["done"] });
  await open(page, await startConversation(api, agent));
  await ask(page, "What is 1+1?");
  const question = page.getByRole("region", { name: /May the agent call/ });

  await question.getByText("Edit arguments or give a reason").click();
  await question.getByLabel("Arguments, used when you approve").fill("{");
  await question.getByRole("button", { name: "Approve once" }).click();
  await expect(question.getByRole("alert")).toContainText("JSON");
  await question.getByLabel("Arguments, used when you approve").fill('{"expression": "5+5"}');
  await question.getByRole("button", { name: "Approve once" }).click();

  await expect(answerOf(page, agent.name)).toHaveText("done");
  // The model learns that it was another call than it asked for.
  const told = JSON.stringify(model.requests.at(-1));
  expect(told).toContain("A person changed the arguments of this call");
  expect(told).toContain('\\n10"');
});

for (const place of ["conversation", "inbox"]) {
  test(`changed arguments stay with their call in the ${place}`, async ({ page, api, model }) => {
    const agent = await createScriptedAgent(api, model, "Careful Clerk", ASKING);
    const calls = ["30+1", "30+2"].map((expression): [string, object] => ["calculator", { expression }]);
    model.next({ chunks: [], tools: calls });
    model.next({ chunks: ["done"] });
    const conversation = await startConversation(api, agent);
    await open(page, conversation);
    await ask(page, "What do they cost together?");
    await expect(page.getByRole("region", { name: /May the agent call/ })).toHaveCount(2);
    if (place === "inbox") await open(page, "/approvals");
    const cards = page.getByRole("main").locator("section.approval");
    const [first, second] = [cards.filter({ hasText: "30+1" }), cards.filter({ hasText: "30+2" })];

    await first.getByText("Edit arguments or give a reason").click();
    await first.getByLabel("Arguments, used when you approve").fill('{"expression": "5+5"}');
    await first.getByRole("button", { name: "Approve once" }).click();
    await expect(first).toBeHidden();

    await expect(second.locator(".args")).toContainText("30+2");
    await expect(second.getByLabel("Arguments, used when you approve")).toHaveValue(/"30\+2"/);
    await second.getByRole("button", { name: "Approve once" }).click();
    await expect(second).toBeHidden();
    if (place === "inbox") await open(page, conversation);
    await expect(answerOf(page, agent.name)).toHaveText("done");
    const called = page.locator("details.tool").filter({ hasText: "30+2" });
    await called.locator("summary").click();
    await expect(called.locator("pre")).toHaveText("32");
    expect(JSON.stringify(model.requests.at(-1)), "the first was called otherwise").toContain('\\n10"');
  });
}

test("a question is rejected in the inbox, and the count goes down", async ({ page, api, model }) => {
  const agent = await createScriptedAgent(api, model, "Careful Clerk", ASKING);
  model.next({ chunks: [], tools: [["calculator", { expression: "2+2" }]] });
  model.next({ chunks: ["then ", "not"] });
  const conversation = await startConversation(api, agent);
  await open(page, conversation);
  await ask(page, "What is 2+2?");
  await expect(page.getByRole("region", { name: /May the agent call/ })).toBeVisible();

  await open(page, "/approvals");
  const card = page.getByRole("main").locator("section.approval").filter({ hasText: "2+2" });
  await card.getByText("Edit arguments or give a reason").click();
  await card.getByLabel("Reason, told to the agent").fill("too easy");
  const count = async (): Promise<number> =>
    (await waiting(page).count()) > 0 ? Number(await waiting(page).textContent()) : 0;
  const before = await count();
  await card.getByRole("button", { name: "Reject" }).click();

  await expect(card).toBeHidden();
  await expect.poll(count, { timeout: AT_ONCE_MS }).toBe(before - 1);
  await open(page, conversation);
  await expect(answerOf(page, agent.name)).toHaveText("then not");
  expect(JSON.stringify(model.requests.at(-1))).toContain("too easy");
  await open(page, "/approvals?decided=1");
  await expect(page.getByRole("main")).toContainText("Rejected");
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });
  test.beforeEach(({ problems }) => problems.allow(SCRIPT_OFF));

  test("a call is approved by a plain form", async ({ page, api, model }) => {
    const agent = await createScriptedAgent(api, model, "Plain Clerk", ASKING);
    model.next({ chunks: [], tools: [["calculator", { expression: "3+3" }]] });
    model.next({ chunks: ["six"] });
    const conversation = await startConversation(api, agent);
    await api.post(`/api/v1${conversation}/messages`, { data: { text: "What is 3+3?" } });
    await expect(async () => {
      await page.goto("/approvals");
      await expect(page.getByRole("main")).toContainText("3+3");
    }).toPass();

    const card = page.getByRole("main").locator("section.approval").filter({ hasText: "3+3" });
    await card.getByRole("button", { name: "Approve once" }).click();

    await expect(async () => {
      await page.goto(conversation);
      await expect(answerOf(page, agent.name)).toHaveText("six");
    }).toPass();
  });
});
