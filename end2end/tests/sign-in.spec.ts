import { fillSignIn, hydrated, open } from "../support/pages";
import { ADA } from "../support/people";
import { refusal } from "../support/problems";
import { expect, test } from "../support/fixtures";

// Each test makes a session of its own: signing out must not end the other tests' session.
test.use({ storageState: async ({ api }, use) => (expect(api).toBeTruthy(), use({ cookies: [], origins: [] })) });

test("a wrong password is refused in words, the right one opens the workspace", async ({ page, problems }) => {
  problems.allow(...refusal("sign_in"));
  await open(page, "/sign-in");

  await fillSignIn(page, "wrong horse battery");

  await expect(page.getByText("E-mail or password is wrong.")).toBeVisible();
  await expect(page.getByLabel("E-mail", { exact: true })).toHaveValue(ADA.email);

  await fillSignIn(page);

  await expect(page).toHaveURL("/");
  await expect(page.getByLabel("Main")).toContainText(ADA.workspace);
});

test("signing out closes the workspace", async ({ page }) => {
  await open(page, "/sign-in");
  await fillSignIn(page);
  await expect(page).toHaveURL("/");
  await hydrated(page);

  await page.getByLabel(/^Account of/).click();
  await page.getByRole("button", { name: "Sign out" }).click();

  await expect(page).toHaveURL("/sign-in");
  await page.goto("/agents");
  await expect(page).toHaveURL(/\/sign-in\?next=/);
});

test("sign-in leads back to the page that was asked for", async ({ page }) => {
  await open(page, "/runs");
  await expect(page).toHaveURL(/\/sign-in\?next=/);

  await fillSignIn(page);

  await expect(page).toHaveURL("/runs");
});
