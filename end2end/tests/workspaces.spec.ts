import { hydrated, open, signIn } from "../support/pages";
import { ADA, createLocalAgent, setUp } from "../support/people";
import { failedPage } from "../support/problems";
import { expect, test } from "../support/fixtures";

test.use({ serverKind: "fresh" });

test("a second workspace has nothing of the first, and the switch leads back", async ({ page, api, problems }) => {
  await setUp(api);
  const agent = await createLocalAgent(api, "Docs Librarian");
  await signIn(page);
  const sidebar = page.getByLabel("Main");
  await expect(sidebar.getByText("Workspaces")).toHaveCount(0);

  await open(page, "/settings/workspace");
  await page.getByLabel("Name of the new workspace").fill("Skunkworks");
  await page.getByRole("button", { name: "Create workspace" }).click();

  await expect(page).toHaveURL("/");
  await expect(sidebar.getByLabel("Workspace Skunkworks: go to another")).toBeVisible();
  await open(page, "/agents");
  await expect(page.getByText("No agents yet")).toBeVisible();
  problems.allow(...failedPage(`/agents/${agent.id}`, 404));
  await page.goto(`/agents/${agent.id}`);
  await expect(page.getByText("This page does not exist")).toBeVisible();

  await hydrated(page);
  await sidebar.getByLabel("Workspace Skunkworks: go to another").click();
  await sidebar.getByRole("button", { name: ADA.workspace }).click();

  await expect(page).toHaveURL("/");
  await expect(sidebar.getByLabel(`Workspace ${ADA.workspace}: go to another`)).toBeVisible();
  await open(page, "/agents");
  await expect(page.getByRole("link", { name: "Docs Librarian" }).first()).toBeVisible();
});

test("a workspace is renamed for everybody who looks", async ({ page, api }) => {
  await setUp(api);
  await signIn(page);
  await open(page, "/settings/workspace");

  await page.getByLabel("Name", { exact: true }).fill("Acme Platform");
  await page.getByRole("button", { name: "Rename" }).click();

  await expect(page.getByLabel("Main")).toContainText("Acme Platform");
});
