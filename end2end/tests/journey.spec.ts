// From nothing to an agent that used a tool of another machine, as somebody does it who has just
// installed the platform: only with the mouse and the keyboard.
import { answerOf, ask, fillAgent, fillSetUp, open } from "../support/pages";
import { MODEL } from "../support/model";
import { ToolServer } from "../support/tool-server";
import { expect, test } from "../support/fixtures";

test.use({ serverKind: "fresh" });

test("an empty workspace becomes one with an agent that used a remote tool after an approval", async ({ page, model }) => {
  const tools = await ToolServer.start();
  await open(page, "/");
  await fillSetUp(page);
  await expect(page).toHaveURL("/");

  await test.step("a model", async () => {
    await open(page, "/models/new?provider=custom");
    await page.getByLabel("Name", { exact: true }).fill("Workshop");
    await page.getByLabel("Base URL", { exact: true }).fill(model.baseUrl);
    await page.getByRole("button", { name: "Add connection" }).click();
    await expect(page).toHaveURL("/models");
    const row = page.getByRole("listitem").filter({ hasText: "Workshop" });
    await row.getByRole("button", { name: "Test" }).click();
    await expect(row.getByText(/Answered in \d+ ms/)).toBeVisible();
  });

  await test.step("a tool server", async () => {
    await open(page, "/tools/new");
    await page.getByLabel("Name", { exact: true }).fill("dictionary");
    await page.getByLabel("URL", { exact: true }).fill(tools.url);
    await page.getByRole("button", { name: "Add server" }).click();
    await expect(page.getByText("Ready", { exact: true })).toBeVisible();
  });

  await test.step("an agent that may use it, and asks", async () => {
    await open(page, "/agents/new");
    await fillAgent(page, "Lexicographer", MODEL);
    await page.locator("summary").filter({ hasText: "dictionary" }).click();
    await page.getByRole("checkbox", { name: /look_up/ }).check();
    await page.getByLabel("When to ask before look_up").selectOption("Always ask");
    await page.getByRole("button", { name: "Create agent" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Lexicographer" })).toBeVisible();
  });

  await test.step("a conversation in which it calls the tool", async () => {
    model.reset();
    model.next({ chunks: ["Let me ", "look."], tools: [["dictionary__look_up", { word: "serendipity" }]] });
    model.next({ chunks: ["A happy ", "accident."] });
    await page.getByRole("button", { name: "Start conversation" }).click();
    await expect(page).toHaveURL(/\/conversations\/./);
    await ask(page, "What is serendipity?");
    const question = page.getByRole("region", { name: /May the agent call/ });
    await expect(question).toContainText("serendipity");
    await question.getByRole("button", { name: "Approve once" }).click();
    await expect(answerOf(page, "Lexicographer")).toHaveText("A happy accident.");
    const call = page.getByRole("article", { name: "Lexicographer" }).first().locator("details.tool");
    await call.locator("summary").click();
    await expect(call.locator("pre")).toHaveText('looked up {"word":"serendipity"}');
  });

  await tools.close();
});
