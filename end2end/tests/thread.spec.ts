// How a conversation is read, and what can be done with it meanwhile.
import { words } from "../support/model";
import { answerOf, ask, composer, open, question, reload } from "../support/pages";
import { postMessage, runEnd, startConversation } from "../support/people";
import { expect, test } from "../support/fixtures";

const SENTENCE = "Orders from the new warehouse wait for a second signature, which takes until the afternoon of the next day. ";

test("a table of long sentences is as wide as the thread", async ({ page, api, agent, model }) => {
  const row = `| Warehouse | ${SENTENCE} | ${SENTENCE.repeat(2)} |\n`;
  model.next({ chunks: ["| Step | Why | What to do |\n|---|---|---|\n", row, row] });
  const path = await startConversation(api, agent);
  await runEnd(api, await postMessage(api, path, "What is slow?"));

  await open(page, path);

  const table = answerOf(page, agent.name).locator(".table-wrap");
  await expect(table.getByRole("row")).toHaveCount(3);
  const widths = await table.evaluate((wrap) => ({ shown: wrap.clientWidth, whole: wrap.scrollWidth }));
  expect(widths.whole, "nothing is to be scrolled").toBeLessThanOrEqual(widths.shown);
  const [inner, outer] = [await table.boundingBox(), await page.getByRole("log").boundingBox()];
  expect(inner!.x).toBeGreaterThanOrEqual(outer!.x);
  expect(inner!.x + inner!.width).toBeLessThanOrEqual(outer!.x + outer!.width);
});

test("the end of a long conversation is one click or one message away", async ({ page, api, agent, model }) => {
  model.next({ chunks: Array.from({ length: 60 }, (_, i) => `Paragraph ${i}.\n\n`) });
  model.next({ chunks: ["fine"] });
  const path = await startConversation(api, agent);
  await runEnd(api, await postMessage(api, path, "How was last week?"));
  await open(page, path);
  const latest = page.getByRole("button", { name: "Latest message" });
  const end = page.getByText("Paragraph 59.");
  // The list begins at its end: positions before it are negative.
  const scrollUp = (): Promise<void> =>
    page.getByLabel("Messages").evaluate((list) => list.scrollTo({ top: -600 }));
  await expect(end).toBeInViewport();
  await expect(latest).toHaveCount(0);

  await scrollUp();
  await expect(end).not.toBeInViewport();
  await latest.click();
  await expect(end).toBeInViewport();
  await expect(latest).toHaveCount(0);

  await scrollUp();
  await expect(latest).toBeVisible();
  await ask(page, "And the week before?");
  await expect(page.getByRole("log").getByText("And the week before?")).toBeInViewport();
  await expect(answerOf(page, agent.name)).toHaveText("fine");
  await expect(latest).toHaveCount(0);
});

test("Rename… begins with the title that stands above, however often", async ({ page, api, agent, model }) => {
  model.next({ chunks: ["fine"] });
  await open(page, await startConversation(api, agent));
  await ask(page, "How was last week?");
  const heading = page.getByRole("heading", { level: 1, name: /^How was last week/ });
  await expect(heading).toBeVisible();
  const title = await heading.innerText();
  const menu = page.getByLabel(/^More:/);
  const dialog = page.getByRole("dialog", { name: "Rename conversation" });
  const field = dialog.getByLabel("Title", { exact: true });
  const rename = async (): Promise<void> => {
    await menu.click();
    await page.getByRole("button", { name: "Rename…" }).click();
  };

  await rename();
  await expect(field).toHaveValue(title);
  await field.fill("Something else");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await expect(dialog).toBeHidden();
  await expect(menu).toBeFocused();

  await rename();
  await expect(field).toHaveValue(title);
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  await expect(menu).toBeFocused();
  await expect(heading).toHaveText(title);
});

test("nothing is asked again while an answer is written", async ({ page, api, agent, model }) => {
  model.next({ chunks: ["first ", "answer"] });
  const gate = model.hold(words(10));
  await open(page, await startConversation(api, agent));
  await ask(page, "One?");
  const again = page.getByRole("article", { name: agent.name }).first().getByRole("button", { name: "Regenerate" });
  const edit = page.getByRole("link", { name: "Edit", exact: true });
  await expect(again).toBeEnabled();
  await expect(edit).toHaveCount(1);

  await ask(page, "Two?");
  gate.release(1);
  await expect(answerOf(page, agent.name)).toHaveText("w0");
  await expect(again).toBeDisabled();
  await expect(edit).toHaveCount(0);

  gate.finish();
  await expect(again).toBeEnabled();
  await expect(edit).toHaveCount(2);
});

test("older conversations are looked through beside the thread", async ({ page, api, agent }) => {
  const paths: string[] = [];
  for (let i = 0; i < 60; i++) paths.push(await startConversation(api, agent));
  const list = page.getByRole("navigation", { name: "Conversations" });
  await open(page, paths[59]);

  await page.getByRole("link", { name: "Older" }).click();
  await list.locator(`a[href^="${paths[0]}"]`).click();

  await expect(page).toHaveURL(new RegExp(`${paths[0]}\\?after=`));
  await expect(list.locator("a[aria-current=page]")).toHaveAttribute("href", new RegExp(paths[0]));
  await page.getByRole("link", { name: "Newest" }).click();
  await expect(list.locator(`a[href="${paths[59]}"]`)).toBeVisible();
  await expect(page).toHaveURL(new RegExp(`${paths[0]}(\\?)?$`));
});

test("formulas are set, while they are written and later", async ({ page, api, agent, model }) => {
  const chunks = ["The roots of $ax^2 + bx + c = 0$ cost nothing, not $5 or $10:\n\n$$\n", "x = \\frac{-b \\pm \\sqrt{b^2 - 4ac}}{2a}\n", "- 0\n$$\n\nThat is all."];
  const held = model.hold(chunks);
  await open(page, await startConversation(api, agent));
  await ask(page, "How are quadratic equations solved?");
  const answer = answerOf(page, agent.name);
  held.release(1);
  await expect(answer.locator("math")).toHaveCount(1);
  held.finish();

  const looks = async (): Promise<void> => {
    await expect(answer.locator("math")).toHaveCount(2);
    await expect(answer).toContainText("not $5 or $10");
    await expect(answer.locator(".formula mfrac msqrt")).toBeVisible();
    await expect(answer).not.toContainText("$$");
  };
  await looks();
  await expect(answer).toContainText("That is all.");
  await reload(page);
  await looks();
  await expect.poll(() => page.evaluate(() => document.fonts.check('16px "STIX Two Math"'))).toBe(true);
});

test("a hit of the search shows what was said and leads to it", async ({ page, api, agent, model }) => {
  test.setTimeout(120_000);
  model.next({ chunks: ["The grey heron stands **longest** of all."] });
  const path = await startConversation(api, agent);
  await runEnd(api, await postMessage(api, path, "Which bird waits?"));
  for (let number = 0; number < 35; number += 1) {
    await runEnd(api, await postMessage(api, path, `Question number ${number}.`));
  }
  await open(page, path);
  const said = page.getByRole("log").getByText("The grey heron stands longest of all.");
  const end = page.getByRole("log").getByText("Question number 34.");
  await expect(end).toBeVisible();
  await expect(said).toHaveCount(0);

  await page.getByRole("searchbox", { name: "Search conversations" }).fill("longest heron");
  await page.keyboard.press("Enter");
  const hit = page.getByRole("navigation", { name: "Conversations" }).getByRole("link");
  await expect(hit).toHaveCount(1);
  await expect(hit).toContainText("The grey heron stands longest of all.");
  await expect(hit.locator("mark")).toHaveText("longest");
  await hit.click();

  await expect(said).toBeInViewport();
  await expect(page).toHaveURL(/query=longest/);
  await page.getByRole("button", { name: "Latest message" }).click();
  await expect(end).toBeInViewport();

  // The same hit once more.
  await expect(said).not.toBeInViewport();
  await hit.click();
  await expect(said).toBeInViewport();

  // The address alone leads there, too.
  await reload(page);
  await expect(said).toBeInViewport();

  // Whoever edits a message keeps the list.
  await question(page, "Which bird waits?").getByRole("link", { name: "Edit" }).click();
  await expect(composer(page)).toHaveValue("Which bird waits?");
  await expect(hit).toHaveCount(1);
  await page.getByRole("link", { name: "Cancel" }).click();
  await expect(page).toHaveURL(/\?query=longest[^&]*$/);
  await expect(hit).toHaveCount(1);
});

test("a hit in another version of a conversation says so", async ({ page, api, agent, model }) => {
  model.next({ chunks: ["The kestrel hovers."] });
  model.next({ chunks: ["Another bird."] });
  await open(page, await startConversation(api, agent));
  await ask(page, "Which bird waits?");
  const answer = answerOf(page, agent.name);
  await expect(answer).toHaveText("The kestrel hovers.");
  await page.getByRole("button", { name: "Regenerate" }).click();
  await expect(answer).toHaveText("Another bird.");

  await page.getByRole("searchbox", { name: "Search conversations" }).fill("kestrel hovers");
  await page.keyboard.press("Enter");
  const hit = page.getByRole("navigation", { name: "Conversations" }).getByRole("link");
  await expect(hit).toHaveCount(1);
  await expect(hit).toContainText("kestrel");
  await hit.click();

  await expect(page.getByText("What was found is in another version of this conversation.")).toBeVisible();
  await expect(answer).toHaveText("Another bird.");
});

test("the switch between versions keeps the focus, wherever it stands", async ({ page, api, agent, model }) => {
  const long = (mark: string): string[] => [`${mark} begins.`, ...Array.from({ length: 60 }, (_, i) => `\n\nParagraph ${i}.`)];
  model.next({ chunks: long("First") });
  model.next({ chunks: long("Second") });
  await open(page, await startConversation(api, agent));
  await ask(page, "How was last week?");
  const answer = answerOf(page, agent.name);
  await expect(answer).toContainText("Paragraph 59.");
  await page.getByRole("button", { name: "Regenerate" }).click();
  await expect(answer).toContainText("Second begins.");
  await expect(answer).toContainText("Paragraph 59.");

  const before = page.getByRole("button", { name: "Version before" });
  await before.press("Enter");
  await expect(answer).toContainText("First begins.");
  const after = page.getByRole("button", { name: "Version after" });
  await expect(after).toBeFocused();
  await expect(after).toBeInViewport();
  await page.keyboard.press("Enter");
  await expect(answer).toContainText("Second begins.");
  await expect(before).toBeFocused();
});
