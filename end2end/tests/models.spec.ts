import { open } from "../support/pages";
import { ScriptedModel } from "../support/model";
import { expect, test } from "../support/fixtures";

test("a connection is added, tested in words and offers its models", async ({ page }) => {
  const model = await ScriptedModel.start();
  await open(page, "/models/new?provider=custom");
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

test("a provider is found by typing, and its form knows the address", async ({ page }) => {
  await open(page, "/models/new");
  await page.getByRole("searchbox", { name: "Search providers" }).fill("claude");
  const providers = page.getByRole("list", { name: "Providers" });
  await expect(providers.getByRole("link", { name: /^Anthropic/ })).toBeVisible();
  await expect(providers.getByRole("link", { name: /Mistral/ })).toBeHidden();

  await providers.getByRole("link", { name: /^Anthropic/ }).click();
  await expect(page.getByRole("heading", { name: "Connect to Anthropic" })).toBeVisible();
  await expect(page.getByLabel("Name", { exact: true })).toHaveValue("Anthropic");
  await expect(page.getByLabel("Base URL", { exact: true })).toHaveValue("https://api.anthropic.com");
  await expect(page.getByRole("link", { name: "Where to get a key" })).toHaveAttribute("href", /^https:/);
});

test("a model's price is put in and shown", async ({ page, problems }) => {
  problems.allow(/422/);
  const model = await ScriptedModel.start();
  await open(page, "/models/new?provider=custom");
  await page.getByLabel("Name", { exact: true }).fill("Priced");
  await page.getByLabel("Base URL", { exact: true }).fill(model.baseUrl);
  await page.getByRole("button", { name: "Add connection" }).click();
  await expect(page).toHaveURL("/models");
  const row = page.getByRole("row").filter({ hasText: "scripted-small" }).filter({ hasText: "Priced" });
  await row.getByRole("link", { name: "Edit scripted-small" }).click();

  await page.getByLabel("Reading", { exact: true }).fill("two");
  await page.getByLabel("Writing", { exact: true }).fill("4");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("must be an amount such as 2.50")).toBeVisible();
  await page.getByLabel("Reading", { exact: true }).fill("2.50");
  await page.getByRole("button", { name: "Save" }).click();

  await expect(page).toHaveURL("/models");
  await expect(row.getByText("$2.50")).toBeVisible();
  await expect(row.getByText("$4.00")).toBeVisible();
  await model.close();
});

test("what is typed is tested before it is saved, and a failure is explained", async ({ page, api }) => {
  const model = await ScriptedModel.start();
  await open(page, "/models/new?provider=custom");
  await page.getByLabel("Name", { exact: true }).fill("Tried first");
  await page.getByLabel("Base URL", { exact: true }).fill("http://127.0.0.1:9/v1");
  await page.getByRole("button", { name: "Test", exact: true }).click();
  const told = page.getByRole("main").getByRole("status");
  await expect(told).toContainText("127.0.0.1:9");

  await page.getByLabel("Base URL", { exact: true }).fill(model.baseUrl);
  await page.getByLabel(/^API key/).fill("sk-typed");
  await page.getByRole("button", { name: "Test", exact: true }).click();
  await expect(told).toContainText(/Answered in \d+ ms/);
  await expect(page).toHaveURL("/models/new?provider=custom");
  const before = await (await api.get("/api/v1/model-connections")).json();
  expect(JSON.stringify(before)).not.toContain("Tried first");

  await page.getByRole("button", { name: "Add connection" }).click();
  await expect(page).toHaveURL("/models");
  await page.getByRole("link", { name: "Edit Tried first" }).click();
  await page.getByLabel("Base URL", { exact: true }).fill("http://127.0.0.1:9/v1");
  await page.getByLabel(/^API key/).fill("sk-other");
  await page.getByRole("button", { name: "Test", exact: true }).click();
  await expect(told).toContainText("127.0.0.1:9");
  const after = await (await api.get("/api/v1/model-connections")).json();
  expect(JSON.stringify(after)).toContain(model.baseUrl);
  await model.close();
});
