import { fillAgent, open } from "../support/pages";
import { LOCAL_MODEL } from "../support/people";
import { refusal } from "../support/problems";
import { expect, test } from "../support/fixtures";

test("an agent on the built-in model is made, and each save is a version", async ({ page }) => {
  await open(page, "/agents");
  await page.getByRole("link", { name: "New agent" }).first().click();
  await fillAgent(page, "Docs Librarian", LOCAL_MODEL);
  await page.getByRole("button", { name: "Create agent" }).click();

  await expect(page.getByRole("heading", { level: 1, name: "Docs Librarian" })).toBeVisible();
  await expect(page.getByText("Version 1 is live")).toBeVisible();

  await page.getByLabel("Instructions", { exact: true }).fill("Answer in one sentence.");
  await page.getByRole("button", { name: "Publish", exact: true }).click();

  await expect(page.getByText("Version 2 is live").first()).toBeVisible();
  const versions = page.getByRole("region", { name: "Versions" });
  await expect(versions.getByRole("listitem")).toHaveCount(2);
  await expect(page.getByLabel("Instructions", { exact: true })).toHaveValue("Answer in one sentence.");

  await versions.getByRole("button", { name: "Restore" }).click();

  await expect(page.getByText("Version 3 is live").first()).toBeVisible();
  await expect(page.getByLabel("Instructions", { exact: true })).toHaveValue("Answer briefly.");
  await page.goto("/agents");
  await expect(page.getByRole("row", { name: /Docs Librarian/ })).toContainText("v3");
});

test("a wrong field is named and nothing typed is lost", async ({ page, problems }) => {
  problems.allow(...refusal("create_agent"));
  const name = "x".repeat(81);
  await open(page, "/agents/new");

  await fillAgent(page, name, LOCAL_MODEL);
  await page.getByRole("button", { name: "Create agent" }).click();

  await expect(page.getByText(/at most 80 characters/)).toBeVisible();
  await expect(page.getByLabel("Name", { exact: true })).toBeFocused();
  await expect(page.getByLabel("Name", { exact: true })).toHaveValue(name);
  await expect(page.getByLabel("Instructions", { exact: true })).toHaveValue("Answer briefly.");
});

test("a deleted agent leaves the list", async ({ page }) => {
  await open(page, "/agents/new");
  await fillAgent(page, "Short Lived", LOCAL_MODEL);
  await page.getByRole("button", { name: "Create agent" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Short Lived" })).toBeVisible();

  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete agent" }).click();

  await expect(page).toHaveURL("/agents");
  await expect(page.getByRole("heading", { level: 1, name: "Agents" })).toBeVisible();
  await expect(page.getByRole("link", { name: "Short Lived" })).toHaveCount(0);
});
