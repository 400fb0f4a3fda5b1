import { answerOf, ask, open, reload } from "../support/pages";
import { createScriptedAgent, startConversation } from "../support/people";
import { refusal } from "../support/problems";
import { expect, test } from "../support/fixtures";

test("a budget is set, changed and lifted", async ({ page, problems }) => {
  problems.allow(...refusal("create_budget"));
  await open(page, "/usage");
  const card = page.getByRole("region", { name: "Budgets" });
  await expect(card).toContainText("No budgets");

  await card.getByLabel("Limit", { exact: true }).fill("a lot");
  await card.getByRole("button", { name: "Set budget" }).click();
  await expect(card.getByText("must be an amount such as 25.00", { exact: false })).toBeVisible();

  await card.getByLabel("Limit", { exact: true }).fill("25.00");
  await card.getByRole("button", { name: "Set budget" }).click();
  const row = card.getByRole("listitem").filter({ hasText: "Whole workspace" });
  await expect(row).toContainText("per month");
  await expect(row).toContainText("of $25.00");
  await expect(row.getByRole("meter")).toHaveAttribute("aria-valuenow", "0");

  await row.getByLabel(/New limit/).fill("7.5");
  await row.getByRole("button", { name: "Save" }).click();
  await expect(row).toContainText("of $7.50");
  await reload(page);
  await expect(row).toContainText("of $7.50");

  await row.getByRole("button", { name: /Lift/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Lift budget" }).click();
  await expect(card).toContainText("No budgets");
});

test("a file that the agent writes can be downloaded", async ({ page, api, model }) => {
  const agent = await createScriptedAgent(api, model, "Note Taker", [{ builtin: "write_file" }]);
  const plan = { path: "notes/plan.md", content: "# Plan\n" };
  model.next({ chunks: [], tools: [["write_file", plan]] });
  model.next({ chunks: ["Written."] });
  await open(page, await startConversation(api, agent));
  await ask(page, "Write the plan down.");
  await expect(answerOf(page, agent.name)).toHaveText("Written.");

  await page.getByLabel("More: rename, pin, files, export, delete").click();
  await page.getByRole("link", { name: "Files" }).click();

  const row = page.getByRole("region", { name: "Files" }).getByRole("listitem");
  await expect(row).toContainText("notes/plan.md");
  await expect(row).toContainText("text/markdown");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    row.getByRole("link", { name: "Download notes/plan.md" }).click(),
  ]);
  expect(download.suggestedFilename()).toBe("plan.md");
});

test("a refused answer says which budget, how much of it is spent, and where it is changed", async ({ page, api, model }) => {
  const agent = await createScriptedAgent(api, model, "Spender");
  const config = await (await api.get(`/api/v1/agents/${agent.id}`)).json();
  const { connection_id, name } = config.model;
  const price = { input_usd_micros: 1_000_000, output_usd_micros: 10_000_000 };
  await api.patch(`/api/v1/models/${connection_id}/${name}`, { data: { price } });
  const budget = { agent_id: agent.id, period: "month", limit_usd_micros: 10 };
  const created = await api.post("/api/v1/budgets", { data: budget });
  await open(page, await startConversation(api, agent));
  await ask(page, "Spend it.");

  const told = page.getByText("This answer failed.").locator("..");
  await expect(told).toContainText("budget of $0.00001 a month");
  await expect(told).toContainText("$0.00 are spent");
  await page.getByRole("link", { name: "Open run" }).click();
  await expect(page.getByText("This run failed.").locator("..")).toContainText("$0.00 are spent");
  await page.getByRole("link", { name: "Change the budget" }).click();
  await expect(page).toHaveURL("/usage");
  await expect(page.getByRole("region", { name: "Budgets" })).toContainText("Spender");
  await api.delete(`/api/v1/budgets/${(await created.json()).id}`);
});
