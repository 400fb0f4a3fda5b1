import { open } from "../support/pages";
import { ScriptedModel } from "../support/model";
import { expect, test } from "../support/fixtures";

test("a connection is added, tested in words and offers its models", async ({ page }) => {
  const model = await ScriptedModel.start();
  await open(page, "/models/new");
  await page.getByLabel("Name", { exact: true }).fill("Workshop");
  await page.getByLabel("Base URL", { exact: true }).fill(model.baseUrl);
  await page.getByRole("button", { name: "Add connection" }).click();

  await expect(page).toHaveURL("/models");
  const row = page.getByRole("listitem").filter({ hasText: "Workshop" });
  await row.getByRole("button", { name: "Test" }).click();
  await expect(row.getByText(/Answered in \d+ ms/)).toBeVisible();
  await expect(row.getByText("2 models")).toBeVisible();

  await model.close();
  await row.getByRole("button", { name: "Test" }).click();
  await expect(row.getByText(/Answered in/)).toBeHidden();
  await expect(row.getByRole("status")).not.toBeEmpty();
});
