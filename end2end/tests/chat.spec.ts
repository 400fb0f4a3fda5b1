import type { Page } from "@playwright/test";
import { readFile } from "node:fs/promises";
import { answerOf, ask, composer, open, question, reload, stopButton } from "../support/pages";
import { createScriptedAgent, postMessage, runEnd, startConversation } from "../support/people";
import { SCRIPT_OFF } from "../support/problems";
import { expect, test } from "../support/fixtures";

const MARKDOWN = [
  "It **rose** by 23 %:\n\n",
  "| Step | Change |\n|---|--:|\n| Payment | 39 % |\n\n",
  "```rust\nlet quote = 1; // slow\n",
  "```\n\n",
  "![chart](https://evil.example/x.png) and <b>tags</b>\n",
];

/** The text that was copied last. */
async function clipboard(page: Page): Promise<string> {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  return page.evaluate(() => navigator.clipboard.readText());
}

test("Markdown is shown while it is written, and stays the same at the end", async ({ page, api, agent, model }) => {
  const gate = model.hold(MARKDOWN);
  await open(page, await startConversation(api, agent));
  await ask(page, "How was last week?");

  gate.release(3);
  const answer = answerOf(page, agent.name);
  await expect(answer.locator("strong")).toHaveText("rose");
  await expect(answer.getByRole("cell", { name: "39 %" })).toBeVisible();
  await expect(answer.locator(".code pre")).toContainText("let quote");
  gate.finish();

  await expect(answer.locator(".hl-c")).toHaveText("// slow");
  await expect(answer.getByRole("link", { name: "chart" })).toHaveAttribute("rel", "noopener nofollow");
  await expect(answer).toContainText("<b>tags</b>");
  await expect(answer.locator("img")).toHaveCount(0);
  await expect(stopButton(page)).toBeHidden();
  const live = await answer.innerText();
  await reload(page);
  expect(await answer.innerText()).toBe(live);
});

test("code and whole answers are copied", async ({ page, api, agent, model }) => {
  model.next({ chunks: MARKDOWN });
  await open(page, await startConversation(api, agent));
  await ask(page, "How was last week?");
  const answer = page.getByRole("article", { name: agent.name });
  // The whole answer takes the place of what came before it.
  await expect(answer.locator(".hl-c")).toBeVisible();
  await expect(stopButton(page)).toBeHidden();

  await answer.locator(".code").getByRole("button", { name: "Copy" }).click();
  await expect(answer.locator(".code").getByRole("button", { name: "Copied" })).toBeVisible();
  expect(await clipboard(page)).toBe("let quote = 1; // slow\n");
  await answer.getByTitle("Copy as Markdown").click();
  await expect(answer.getByTitle("Copy as Markdown")).toHaveText(/Copied/);

  expect(await clipboard(page)).toBe(MARKDOWN.join(""));
});

test("an answer is regenerated, and both stay within reach", async ({ page, api, agent, model }) => {
  model.next({ chunks: ["first ", "try"] });
  model.next({ chunks: ["second ", "try"] });
  await open(page, await startConversation(api, agent));
  await ask(page, "How was last week?");
  await expect(answerOf(page, agent.name)).toHaveText("first try");
  await composer(page).fill("a draft");

  await page.getByRole("button", { name: "Regenerate" }).click();

  await expect(answerOf(page, agent.name)).toHaveText("second try");
  await expect(page.getByRole("article")).toHaveCount(2);
  const versions = page.getByRole("form", { name: "Versions" });
  await expect(versions).toContainText("2/2");
  await versions.getByRole("button", { name: "Version before" }).click();
  await expect(answerOf(page, agent.name)).toHaveText("first try");
  await expect(versions).toContainText("1/2");
  await expect(composer(page)).toHaveValue("a draft");
  await reload(page);
  await expect(answerOf(page, agent.name)).toHaveText("first try");
});

test("a failed answer is tried again", async ({ page, api, agent, model }) => {
  model.next({ chunks: [], status: 401 });
  model.next({ chunks: ["better ", "now"] });
  await open(page, await startConversation(api, agent));
  await ask(page, "How was last week?");
  await expect(page.getByText(/^This answer failed/)).toBeVisible();

  await page.getByRole("button", { name: "Try again" }).click();

  await expect(answerOf(page, agent.name)).toHaveText("better now");
  await expect(page.getByText(/^This answer failed/)).toHaveCount(0);
});

test("a message is edited on a branch of its own, and the old one comes back", async ({ page, api, agent, model }) => {
  model.next({ chunks: ["Paris"] });
  model.next({ chunks: ["Rome"] });
  const path = await startConversation(api, agent);
  await open(page, path);
  await ask(page, "Capital of France?");
  await expect(answerOf(page, agent.name)).toHaveText("Paris");
  await composer(page).fill("a draft");

  await question(page, "France").getByRole("link", { name: "Edit" }).click();
  await expect(composer(page)).toHaveValue("Capital of France?");
  await page.getByRole("link", { name: "Cancel" }).click();
  await expect(composer(page)).toHaveValue("a draft");
  await question(page, "France").getByRole("link", { name: "Edit" }).click();
  await expect(composer(page)).toHaveValue("Capital of France?");
  await composer(page).fill("Capital of Italy?");
  await composer(page).press("Enter");

  await expect(answerOf(page, agent.name)).toHaveText("Rome");
  await expect(page).toHaveURL(path);
  await expect(composer(page)).toHaveValue("a draft");
  await expect(question(page, "France")).toHaveCount(0);
  await page.getByRole("button", { name: "Version before" }).click();
  await expect(answerOf(page, agent.name)).toHaveText("Paris");
  await expect(question(page, "Italy")).toHaveCount(0);
});

test("an answer of the wrong form is asked for once more, and the page says so", async ({ page, api, model }) => {
  const agent = await createScriptedAgent(api, model, "Clerk");
  const schema = { type: "object", properties: { total: { type: "number" } }, required: ["total"] };
  await api.patch(`/api/v1/agents/${agent.id}`, { data: { output_schema: schema } });
  await open(page, await startConversation(api, agent));
  model.next({ chunks: ['{"sum": 3}'] });
  model.next({ chunks: ['{"total": 3}'] });

  await ask(page, "What is one and two?");

  const note = page.getByText("Not of the form that was asked for; asked for once more.");
  await expect(page.getByText('"total"')).toBeVisible();
  await expect(note).toBeVisible();
  await expect(page.getByRole("button", { name: "Regenerate" })).toHaveCount(1);
  await page.reload();
  await expect(note).toHaveCount(1);
  await expect(page.getByRole("button", { name: "Regenerate" })).toHaveCount(1);
  await expect(page.getByText('"total"')).toBeVisible();
});

test("another tab follows to the branch that is shown", async ({ page, context, api, agent, model }) => {
  model.next({ chunks: ["first ", "try"] });
  model.next({ chunks: ["second ", "try"] });
  const path = await startConversation(api, agent);
  await open(page, path);
  await ask(page, "How was last week?");
  await expect(answerOf(page, agent.name)).toHaveText("first try");
  const second = await context.newPage();
  await open(second, path);

  await page.getByRole("button", { name: "Regenerate" }).click();

  await expect(answerOf(page, agent.name)).toHaveText("second try");
  await expect(answerOf(second, agent.name)).toHaveText("second try");
  await expect(second.getByRole("article")).toHaveCount(2);
});

test("a message goes to the branch that its tab shows", async ({ page, context, api, agent, model }) => {
  model.next({ chunks: ["Paris"] });
  model.next({ chunks: ["Rome"] });
  model.next({ chunks: ["2 million"] });
  const path = await startConversation(api, agent);
  await open(page, path);
  await ask(page, "Capital of France?");
  await expect(answerOf(page, agent.name)).toHaveText("Paris");
  await question(page, "France").getByRole("link", { name: "Edit" }).click();
  await expect(composer(page)).toHaveValue("Capital of France?");
  await composer(page).fill("Capital of Italy?");
  await composer(page).press("Enter");
  await expect(answerOf(page, agent.name)).toHaveText("Rome");
  await page.getByRole("button", { name: "Version before" }).click();
  await expect(answerOf(page, agent.name)).toHaveText("Paris");
  const second = await context.newPage();
  await open(second, path);
  await expect(answerOf(second, agent.name)).toHaveText("Paris");
  await page.getByRole("button", { name: "Version after" }).click();
  await expect(answerOf(page, agent.name)).toHaveText("Rome");

  await ask(second, "How many live there?");

  await expect(answerOf(second, agent.name)).toHaveText("2 million");
  await expect(question(second, "France")).toHaveCount(1);
  await expect(answerOf(page, agent.name)).toHaveText("2 million");
  await expect(question(page, "France")).toHaveCount(1);
});

test("messages wait for their turn and are answered in order", async ({ page, api, agent, model }) => {
  const gate = model.hold(["one ", "done"]);
  model.next({ chunks: ["two ", "done"] });
  model.next({ chunks: ["three ", "done"] });
  await open(page, await startConversation(api, agent));
  await ask(page, "One?");
  gate.release(1);
  await expect(answerOf(page, agent.name)).toHaveText("one");
  await ask(page, "Two?");
  await ask(page, "Three?");
  gate.finish();

  await expect(answerOf(page, agent.name)).toHaveText("three done");
  const texts = await page.getByRole("article").locator(".bubble, .markdown").allInnerTexts();
  expect(texts.map((text) => text.trim())).toEqual([
    "One?",
    "one done",
    "Two?",
    "two done",
    "Three?",
    "three done",
  ]);
});

test("a conversation is called by the first words of its first message", async ({ page, api, agent, model }) => {
  const first = "How many orders were late last week, and which of them came from the new warehouse in Rotterdam?";
  model.next({ chunks: ["Twelve."] });
  model.next({ chunks: ["Four."] });
  await open(page, await startConversation(api, agent));
  await ask(page, first);
  await expect(answerOf(page, agent.name)).toHaveText("Twelve.");

  const heading = page.getByRole("heading", { level: 1, name: /^How many orders were late last week/ });
  await expect(heading).toBeVisible();
  await expect(page).toHaveTitle(/^How many orders were late/);
  const list = page.getByRole("navigation", { name: "Conversations" });
  await expect(list).toContainText("How many orders were late last week");
  await ask(page, "And the week before?");
  await expect(answerOf(page, agent.name)).toHaveText("Four.");
  await page.reload();
  await expect(heading).toBeVisible();
  await expect(list).not.toContainText("And the week before");
});

test("a conversation is renamed, pinned, exported and deleted", async ({ page, api, agent, model }) => {
  model.next({ chunks: ["**fine**"] });
  await open(page, await startConversation(api, agent));
  await ask(page, "How was last week?");
  await expect(answerOf(page, agent.name)).toHaveText("fine");
  const menu = page.getByLabel(/^More:/);
  const list = page.getByRole("navigation", { name: "Conversations" });

  await menu.click();
  await page.getByRole("button", { name: "Rename…" }).click();
  await page.getByLabel("Title", { exact: true }).fill("Weekly review");
  await page.getByRole("button", { name: "Rename", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Weekly review" })).toBeVisible();

  await menu.click();
  await page.getByRole("button", { name: "Pin", exact: true }).click();
  await expect(list.getByRole("link", { name: /Weekly review.*Pinned/ })).toBeVisible();
  await startConversation(api, agent);
  await reload(page);
  await expect(list.getByRole("link").first()).toContainText("Weekly review");

  await menu.click();
  const downloading = page.waitForEvent("download");
  await page.getByRole("link", { name: "Export as Markdown" }).click();
  const download = await downloading;
  expect(download.suggestedFilename()).toBe("weekly-review.md");
  expect(await readFile(await download.path(), "utf8")).toContain("**fine**");

  await menu.click();
  await page.getByRole("button", { name: "Delete…" }).click();
  await page.getByRole("button", { name: "Delete conversation" }).click();
  await expect(page).toHaveURL("/conversations");
  await expect(list.getByRole("link", { name: /Weekly review/ })).toHaveCount(0);
});

test("conversations are found by what was said in them", async ({ page, api, agent, model }) => {
  model.next({ chunks: ["The heron ", "stands still."] });
  const found = await startConversation(api, agent);
  await runEnd(api, await postMessage(api, found, "Which bird is this?"));
  const other = await startConversation(api, agent);
  await runEnd(api, await postMessage(api, other, "Something else"));
  await open(page, other);
  await composer(page).fill("a draft");
  const list = page.getByRole("navigation", { name: "Conversations" });

  await page.getByRole("searchbox", { name: "Search conversations" }).fill("heron sta");
  await page.keyboard.press("Enter");

  await expect(list.getByRole("link")).toHaveCount(1);
  await expect(list.getByRole("link")).toContainText("Which bird is this?");
  await expect(composer(page)).toHaveValue("a draft");
  await list.getByRole("link").click();
  await expect(page.getByRole("log").getByText("The heron stands still.")).toBeVisible();
  await page.getByRole("searchbox", { name: "Search conversations" }).fill("unsaid");
  await page.keyboard.press("Enter");
  await expect(list).toContainText("Nothing has all these words.");
});

test("a long conversation is read in windows and does not jump", async ({ page, api, agent }) => {
  test.setTimeout(120_000);
  const path = await startConversation(api, agent);
  for (let number = 0; number < 45; number += 1) {
    await runEnd(api, await postMessage(api, path, `Question number ${number}.`));
  }
  await open(page, path);
  const articles = page.getByRole("article");
  await expect(articles).toHaveCount(30);
  const messages = page.getByLabel("Messages");
  const mark = question(page, "Question number 32.").locator(".bubble");

  // Up to where older ones are asked for, but not to the very beginning.
  const nearBeginning = (list: Element): void => list.scrollTo({ top: -(list.scrollHeight - list.clientHeight - 400) });
  await messages.evaluate(nearBeginning);
  const before = await mark.boundingBox();
  await expect(articles).toHaveCount(60);
  const after = await mark.boundingBox();
  await messages.evaluate(nearBeginning);
  await expect(articles).toHaveCount(90);

  expect(after?.y).toBe(before?.y);
  await expect(question(page, "Question number 0.")).toBeAttached();
  await expect(page.getByText("Older messages")).toHaveCount(0);
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });
  test.beforeEach(({ problems }) => {
    problems.allow(SCRIPT_OFF);
  });

  test("answers are regenerated, messages edited, branches and windows chosen", async ({ page, api, agent, model }) => {
    model.next({ chunks: ["first"] });
    const path = await startConversation(api, agent);
    await runEnd(api, await postMessage(api, path, "Capital of France?"));
    await page.goto(path);
    const settled = async (text: string): Promise<void> => {
      await expect(async () => {
        await page.reload();
        await expect(answerOf(page, agent.name)).toHaveText(text, { timeout: 500 });
      }).toPass({ timeout: 15_000 });
    };

    model.next({ chunks: ["second"] });
    await page.getByRole("button", { name: "Regenerate" }).click();
    await settled("second");
    await page.getByRole("button", { name: "Version before" }).click();
    await expect(answerOf(page, agent.name)).toHaveText("first");

    model.next({ chunks: ["third"] });
    await question(page, "France").getByRole("link", { name: "Edit" }).click();
    await expect(composer(page)).toHaveValue("Capital of France?");
    await composer(page).fill("Capital of Italy?");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await expect(page).toHaveURL(path);
    await settled("third");
    await expect(question(page, "France")).toHaveCount(0);
    await expect(page.getByRole("button", { name: "Copy" }).first()).toBeHidden();
  });

  test("a message goes to the branch that its page shows", async ({ page, api, agent, model }) => {
    model.next({ chunks: ["first"] });
    const path = await startConversation(api, agent);
    await runEnd(api, await postMessage(api, path, "Capital of France?"));
    model.next({ chunks: ["second"] });
    await page.goto(path);
    await page.getByRole("button", { name: "Regenerate" }).click();
    await expect(async () => {
      await page.reload();
      await expect(answerOf(page, agent.name)).toHaveText("second", { timeout: 500 });
    }).toPass({ timeout: 15_000 });
    const other = await page.context().newPage();
    await other.goto(path);
    await other.getByRole("button", { name: "Version before" }).click();
    await expect(answerOf(other, agent.name)).toHaveText("first");
    model.next({ chunks: ["third"] });

    await composer(page).fill("How many live there?");
    await page.getByRole("button", { name: "Send", exact: true }).click();

    await expect(async () => {
      await page.reload();
      await expect(answerOf(page, agent.name)).toHaveText("third", { timeout: 500 });
    }).toPass({ timeout: 15_000 });
    await expect(page.getByRole("article", { name: agent.name }).first()).toContainText("second");
  });

  test("conversations are pinned, searched and exported", async ({ page, api, agent }) => {
    const path = await startConversation(api, agent);
    await runEnd(api, await postMessage(api, path, "Where is the kingfisher?"));
    await page.goto(path);

    await page.getByLabel(/^More:/).click();
    await page.getByRole("button", { name: "Pin", exact: true }).click();
    const list = page.getByRole("navigation", { name: "Conversations" });
    await expect(list.getByRole("link", { name: /kingfisher.*Pinned/ })).toBeVisible();
    await page.getByRole("searchbox", { name: "Search conversations" }).fill("kingf");
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(/query=kingf/);
    await expect(list.getByRole("link")).toHaveCount(1);

    await page.getByLabel(/^More:/).click();
    const downloading = page.waitForEvent("download");
    await page.getByRole("link", { name: "Export as JSON" }).click();
    expect((await downloading).suggestedFilename()).toBe("where-is-the-kingfisher.json");
  });

  test("older messages are a page of their own", async ({ page, api, agent }) => {
    test.setTimeout(120_000);
    const path = await startConversation(api, agent);
    for (let number = 0; number < 16; number += 1) {
      await runEnd(api, await postMessage(api, path, `Question number ${number}.`));
    }
    await page.goto(path);
    await expect(page.getByRole("article")).toHaveCount(30);

    await page.getByRole("link", { name: "Older messages" }).click();

    await expect(page.getByRole("article")).toHaveCount(2);
    await expect(question(page, "Question number 0.")).toBeVisible();
  });
});
