import { open, reload, signIn } from "../support/pages";
import { ADA, setUp } from "../support/people";
import { refusal } from "../support/problems";
import { expect, test } from "../support/fixtures";

test.use({ serverKind: "fresh" });
test.beforeEach(async ({ page, api }) => {
  await setUp(api);
  await signIn(page);
});

test("another browser is listed and signed out", async ({ page, browser, server }) => {
  const userAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0";
  const context = await browser.newContext({ baseURL: server.origin, userAgent });
  const other = await context.newPage();
  await signIn(other);

  await open(page, "/settings/sessions");
  const list = page.getByRole("region", { name: "Signed-in browsers" });
  await expect(list.getByRole("listitem").filter({ hasText: "This browser" })).toHaveCount(1);
  const row = list.getByRole("listitem").filter({ hasText: "Firefox on Windows" });
  await expect(row).toContainText("127.0.0.1");
  await row.getByRole("button", { name: "Sign out" }).click();

  await expect(row).toHaveCount(0);
  await other.goto("/agents");
  await expect(other).toHaveURL(/\/sign-in/);
  await reload(page);
  await expect(list).toContainText("This browser");
});

test("every other browser is signed out at once", async ({ page, browser, server }) => {
  const other = await (await browser.newContext({ baseURL: server.origin })).newPage();
  await signIn(other);
  await open(page, "/settings/sessions");

  await page.getByRole("button", { name: "Sign out every other browser" }).click();

  await expect(page.getByRole("region", { name: "Signed-in browsers" }).getByRole("listitem")).toHaveCount(1);
  await expect(page.getByRole("button", { name: "Sign out every other browser" })).toHaveCount(0);
  await other.goto("/agents");
  await expect(other).toHaveURL(/\/sign-in/);
});

test("a name is shown in place of the address", async ({ page }) => {
  await open(page, "/settings/profile");
  await expect(page.getByLabel("E-mail", { exact: true })).toHaveValue(ADA.email);

  await page.getByLabel("Name", { exact: true }).fill("Ada Okafor");
  await page.getByRole("button", { name: "Save", exact: true }).click();

  await expect(page.getByLabel("Account of Ada Okafor")).toBeVisible();
  await open(page, "/settings/members");
  await expect(page.getByRole("region", { name: "Members" })).toContainText("Ada Okafor");
});

test("the password is changed here and asked for everywhere else", async ({ page, browser, server, problems }) => {
  problems.allow(...refusal("change_password"));
  const other = await (await browser.newContext({ baseURL: server.origin })).newPage();
  await signIn(other);
  await open(page, "/settings/profile");

  await page.getByLabel("Current password", { exact: true }).fill("wrong horse battery");
  await page.getByLabel("New password", { exact: true }).fill("a new horse battery");
  await page.getByRole("button", { name: "Change password" }).click();
  await expect(page.getByLabel("Current password", { exact: true })).toHaveAttribute("aria-invalid", "true");

  await page.getByLabel("Current password", { exact: true }).fill(ADA.password);
  await page.getByRole("button", { name: "Change password" }).click();
  await expect(page.getByText("Password changed")).toBeVisible();
  await expect(page.getByLabel("New password", { exact: true })).toHaveValue("");
  await open(page, "/agents");
  await expect(page.getByRole("heading", { level: 1, name: "Agents" })).toBeVisible();
  await other.goto("/agents");
  await expect(other).toHaveURL(/\/sign-in/);
  await signIn(other, "a new horse battery");
});
