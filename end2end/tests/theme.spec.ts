import type { Page } from "@playwright/test";
import { open } from "../support/pages";
import { expect, test } from "../support/fixtures";

async function choose(page: Page, theme: string): Promise<void> {
  await page.getByLabel("Theme").click();
  await page.getByRole("button", { name: theme }).click();
}

/** The next page as HTML: the browser has the cookie a moment after the page has set it. */
async function nextHtml(page: Page): Promise<string> {
  return (await page.request.get("/agents")).text();
}

function background(page: Page): Promise<string> {
  return page.evaluate(() => getComputedStyle(document.body).backgroundColor);
}

for (const [label, theme] of [
  ["Dark", "dark"],
  ["Light", "light"],
] as const) {
  test(`${theme} is chosen, shown at once and part of the next page's HTML`, async ({ page }) => {
    // The system wants the other side, so that only the choice can explain what is shown.
    await page.emulateMedia({ colorScheme: theme === "dark" ? "light" : "dark" });
    await open(page, "/agents");
    const before = await background(page);

    await choose(page, label);

    await expect(page.locator("html")).toHaveAttribute("data-theme", theme);
    const chosen = await background(page);
    expect(chosen).not.toBe(before);
    await expect.poll(() => nextHtml(page)).toMatch(new RegExp(`<html[^>]*data-theme="?${theme}`));
    await page.reload();
    await expect(page.locator("html")).toHaveAttribute("data-theme", theme);
    expect(await background(page)).toBe(chosen);
  });
}

test("without a choice the page follows the system", async ({ page }) => {
  await open(page, "/agents");
  await choose(page, "Dark");
  await choose(page, "As the system");

  await expect(page.locator("html")).not.toHaveAttribute("data-theme");
  await expect.poll(() => nextHtml(page)).not.toMatch(/<html[^>]*data-theme/);
  await page.reload();
  await expect(page.locator("html")).not.toHaveAttribute("data-theme");
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await background(page);
  await page.emulateMedia({ colorScheme: "light" });
  expect(await background(page)).not.toBe(dark);
});
