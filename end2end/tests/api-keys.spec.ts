import { request, type Page } from "@playwright/test";
import { open } from "../support/pages";
import { refusal } from "../support/problems";
import { expect, test } from "../support/fixtures";

/** Makes a key on the page; answers it. */
async function createKey(page: Page, name: string): Promise<string> {
  const form = page.getByRole("region", { name: "New key" });
  await form.getByLabel("Name", { exact: true }).fill(name);
  await form.getByRole("button", { name: "Create key" }).click();
  const key = form.getByLabel("The new key");
  await expect(key).toHaveValue(/^aa_/);
  return key.inputValue();
}

/** Status of calls with the key alone. */
async function call(origin: string, key: string, method: string, path: string, data?: object): Promise<number> {
  const context = await request.newContext({ baseURL: origin, extraHTTPHeaders: { authorization: `Bearer ${key}` } });
  const response = await context.fetch(path, { method, data });
  await context.dispose();
  return response.status();
}

test("a key is shown once, works, and is refused when it is deleted", async ({ page, server, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await open(page, "/settings/api-keys");
  const key = await createKey(page, "ci-pipeline");

  await page.getByRole("button", { name: "Copy" }).click();
  await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(key);
  const row = page.getByRole("region", { name: "API keys" }).getByRole("listitem").filter({ hasText: "ci-pipeline" });
  await expect(row).toContainText("Everything you may");
  await expect(row).toContainText("never used");
  expect(await call(server.origin, key, "GET", "/api/v1/agents")).toBe(200);

  await open(page, "/settings/api-keys");
  await expect(page.getByLabel("The new key")).toHaveCount(0);
  expect(await page.content()).not.toContain(key);
  await expect(row).toContainText("last used");
  await row.getByRole("button", { name: "Delete ci-pipeline" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete key" }).click();
  await expect(row).toHaveCount(0);

  expect(await call(server.origin, key, "GET", "/api/v1/agents")).toBe(401);
});

test("a key does only what was chosen", async ({ page, server }) => {
  await open(page, "/settings/api-keys");
  const form = page.getByRole("region", { name: "New key" });
  await expect(form.getByLabel("Converse")).toBeHidden();
  await form.getByLabel("Only what I choose").check();
  await form.getByLabel("Converse").check();
  await form.getByLabel("Expires").selectOption("Never");
  const key = await createKey(page, "chat-only");

  const row = page.getByRole("region", { name: "API keys" }).getByRole("listitem").filter({ hasText: "chat-only" });
  await expect(row.locator(".tag")).toHaveText(["Read", "Converse"]);
  await expect(row).toContainText("never expires");
  expect(await call(server.origin, key, "GET", "/api/v1/agents")).toBe(200);
  expect(await call(server.origin, key, "POST", "/api/v1/model-connections", {
    name: "Workshop",
    kind: "openai_compatible",
    base_url: "http://127.0.0.1:9/v1",
  })).toBe(403);
});

test("a key without a name is refused at its field", async ({ page, problems }) => {
  problems.allow(...refusal("create_api_key"));
  await open(page, "/settings/api-keys");
  const form = page.getByRole("region", { name: "New key" });

  await form.getByLabel("Name", { exact: true }).fill("x".repeat(81));
  await form.getByRole("button", { name: "Create key" }).click();

  await expect(form.getByText(/at most 80 characters/)).toBeVisible();
  await expect(form.getByLabel("Name", { exact: true })).toBeFocused();
});
