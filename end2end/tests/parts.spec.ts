import { startConversation } from "../support/people";
import { open } from "../support/pages";
import { expect, test } from "../support/fixtures";

/** 350 KiB: what a first visit may load of the browser half, compressed. */
const MAX_BYTES = 350 * 1024;

test("a first visit loads little WebAssembly", async ({ api, agent }) => {
  const conversation = await startConversation(api, agent);
  for (const path of ["/", conversation, "/agents", "/models", "/tools", "/settings/profile"]) {
    const html = await (await api.get(path)).text();
    const files = [...html.matchAll(/href="(\/pkg\/[^"]+\.wasm)"/g)].map((match) => match[1]!);
    expect(files.length, `${path} names its files`).toBeGreaterThan(1);

    let bytes = 0;
    for (const file of files) {
      const answer = await api.get(file, { headers: { "accept-encoding": "br" } });
      expect(answer.headers()["content-encoding"]).toBe("br");
      expect(answer.headers()["cache-control"]).toContain("immutable");
      bytes += Number(answer.headers()["content-length"]);
    }

    expect(bytes, path).toBeGreaterThan(0);
    expect(bytes, path).toBeLessThanOrEqual(MAX_BYTES);
  }
});

test("every part wakes by itself, and the others are there at once", async ({ page }) => {
  for (const path of ["/", "/conversations", "/agents", "/tools"]) {
    await open(page, path);
  }
  await open(page, "/tools");
  await page.evaluate(() => Object.assign(window, { isSameDocument: true }));

  for (const name of ["Models", "Usage", "Conversations", "Tools"]) {
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name }).click();
    await expect(page).toHaveTitle(new RegExp(`^${name} · `));
  }

  expect(await page.evaluate(() => "isSameDocument" in window)).toBe(true);
});

test("a part that cannot be had is loaded with its page instead", async ({ page, problems }) => {
  problems.allow(/split_tools\.wasm/, /Failed to fetch/, /failed to load split module/);
  await page.route("**/split_tools.wasm", (route) => route.abort());
  await open(page, "/");
  await page.evaluate(() => Object.assign(window, { isSameDocument: true }));

  await page.getByRole("link", { name: "Tools", exact: true }).click();

  await expect(page.getByRole("heading", { level: 1, name: "Tools" })).toBeVisible();
  expect(await page.evaluate(() => "isSameDocument" in window)).toBe(false);
});
