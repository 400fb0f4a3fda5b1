import type { Page } from "@playwright/test";
import { words, wordsText } from "../support/model";
import { answerOf, ask, open, SETTINGS } from "../support/pages";
import { postMessage, runEnd, startConversation } from "../support/people";
import { expect, test } from "../support/fixtures";

test.use({ viewport: { width: 390, height: 844 }, hasTouch: true });

/** Elements that stick out to the right of the window, the widest first; empty if all fit. */
function overflow(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { clientWidth, scrollWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    return [...document.querySelectorAll("body *")]
      .filter((element) => element.getBoundingClientRect().right > clientWidth)
      .map((element) => element.outerHTML.slice(0, 120))
      .slice(0, 5);
  });
}

test("every page fits a phone", async ({ page, api, agent, model }) => {
  test.setTimeout(180_000);
  model.next({ chunks: ["a ", `${"long".repeat(60)} `, "\n\n```\n", `${"wide ".repeat(60)}\n`, "```\n"] });
  const conversation = await startConversation(api, agent);
  const run = await postMessage(api, conversation, "unbroken".repeat(40));
  await runEnd(api, run);
  const paths = ["/", "/conversations", "/agents", "/agents/new", "/agents/new?template=editor", "/agents/import", "/tools", "/tools/new", "/models", "/models/new", "/runs", ...SETTINGS];

  for (const path of [...paths, `/agents/${agent.id}`, `/agents/${agent.id}/versions`, conversation, `/runs/${run}`]) {
    await open(page, path);
    await expect(page.getByRole("main")).toBeVisible();
    expect(await overflow(page), path).toEqual([]);
  }
});

test("the drawer opens, leads on and closes behind", async ({ page }) => {
  await open(page, "/");
  const drawer = page.locator("#nav");
  await expect(drawer).toBeHidden();

  await page.getByRole("button", { name: "Open navigation" }).click();
  await expect(drawer).toBeVisible();
  await drawer.getByRole("link", { name: "Agents" }).click();

  await expect(page).toHaveURL("/agents");
  await expect(drawer).toBeHidden();
  await page.getByRole("button", { name: "Open navigation" }).click();
  await page.keyboard.press("Escape");
  await expect(drawer).toBeHidden();
});

test("a conversation works on a phone", async ({ page, api, agent, model }) => {
  model.next({ chunks: words(40) });
  await open(page, await startConversation(api, agent));

  await ask(page, "How was last week?");

  await expect(answerOf(page, agent.name)).toHaveText(wordsText(40));
});
