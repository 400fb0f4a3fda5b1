import { open, fillSetUp } from "../support/pages";
import { ADA, setUp } from "../support/people";
import { refusal } from "../support/problems";
import { expect, test } from "../support/fixtures";

test.use({ serverKind: "fresh" });

test("first visit leads to the set-up, which makes owner and workspace and then is gone", async ({ page }) => {
  await open(page, "/");
  await expect(page).toHaveURL("/setup");
  await expect(page.getByRole("heading", { name: "Set up AgentArea" })).toBeVisible();
  await expect(page.getByRole("region", { name: "This machine" }).getByRole("listitem").first()).toBeVisible();

  await fillSetUp(page);

  await expect(page).toHaveURL("/");
  await expect(page.getByLabel("Main")).toContainText(ADA.workspace);
  await page.goto("/setup");
  await expect(page).toHaveURL("/");
});

test("a short password is named at its field and nothing typed is lost", async ({ page, problems }) => {
  problems.allow(...refusal("set_up"));
  await open(page, "/setup");

  await fillSetUp(page, "0123456789");

  const password = page.getByLabel("Password", { exact: true });
  await expect(page.getByText(/at least 12 characters; this one has 10/)).toBeVisible();
  await expect(password).toHaveAttribute("aria-invalid", "true");
  await expect(password).toBeFocused();
  await expect(password).toHaveValue("0123456789");
  await expect(page.getByLabel("Workspace", { exact: true })).toHaveValue(ADA.workspace);
  await expect(page.getByLabel("E-mail", { exact: true })).toHaveValue(ADA.email);

  await fillSetUp(page);

  await expect(page).toHaveURL("/");
});

test("a server that is set up has no set-up page for visitors", async ({ page, api }) => {
  await setUp(api);

  await page.goto("/setup");

  await expect(page).toHaveURL("/sign-in");
});
