import { readFile, writeFile } from "node:fs/promises";
import AxeBuilder from "@axe-core/playwright";
import { answerOf, ask, fillAgent, fillSignIn, open, painted } from "../support/pages";
import { createScriptedAgent, LOCAL_MODEL, setUp, startConversation } from "../support/people";
import { refusal, SCRIPT_OFF } from "../support/problems";
import { expect, test } from "../support/fixtures";

test("agents are found by words and by tags", async ({ page, api, model }) => {
  const one = await createScriptedAgent(api, model, "Harbour Pilot");
  const two = await createScriptedAgent(api, model, "Harbour Clerk");
  await api.patch(`/api/v1/agents/${one.id}`, { data: { tags: ["ships", "night"] } });
  await api.patch(`/api/v1/agents/${two.id}`, { data: { tags: ["ships"], instructions: "Count the barrels." } });
  await open(page, "/agents");

  await page.getByRole("searchbox", { name: "Search agents" }).fill("harbour barrels");
  await page.getByRole("button", { name: "Search" }).click();
  await expect(page).toHaveURL(/search=harbour/);
  await expect(page.getByRole("row")).toHaveCount(2);
  await expect(page.getByRole("row").last()).toContainText("Harbour Clerk");

  await page.getByRole("searchbox", { name: "Search agents" }).fill("");
  await page.getByRole("button", { name: "Search" }).click();
  await expect(page).not.toHaveURL(/harbour/);
  // Until the new list is there, the tags of the old one are.
  await expect(page.getByRole("row").filter({ hasText: "Harbour Pilot" })).toHaveCount(1);
  const tags = page.getByRole("navigation", { name: "Tags" });
  await tags.getByRole("link", { name: /^ships/ }).click();
  await expect(page).toHaveURL("/agents?tag=ships");
  await expect(page.getByRole("row")).toHaveCount(3);
  await page.getByRole("searchbox", { name: "Search agents" }).fill("pilot");
  await page.getByRole("searchbox", { name: "Search agents" }).press("Enter");
  await expect(page.getByRole("row")).toHaveCount(2);
  await tags.getByRole("link", { name: /^ships/ }).click();
  await expect(page).toHaveURL("/agents?search=pilot");
  await page.goto("/agents?search=nobody-has-this");
  await expect(page.getByText("Nothing matches")).toBeVisible();
});

test("a template fills the form, and the copy of its agent stands by itself", async ({ page }) => {
  await open(page, "/agents/new");
  const gallery = page.getByRole("navigation", { name: "Templates" });
  expect(await gallery.getByRole("link").count()).toBeGreaterThan(8);

  await gallery.getByRole("link", { name: /Research Analyst/ }).click();
  await expect(page).toHaveURL("/agents/new?template=research-analyst");
  await expect(page.getByLabel("Name", { exact: true })).toHaveValue("Research Analyst");
  await expect(page.getByLabel("Instructions", { exact: true })).toHaveValue(/You are a research analyst/);
  await expect(page.getByLabel("Tags")).toHaveValue("research, web");
  await expect(page.getByText("Works better with one of these tool servers")).toBeVisible();
  await page.locator("input").and(page.getByLabel("Model", { exact: true })).fill(LOCAL_MODEL);
  await page.getByRole("button", { name: "Create agent" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Research Analyst" })).toBeVisible();

  await page.getByRole("button", { name: "Duplicate" }).click();

  await expect(page.getByRole("heading", { level: 1, name: "Research Analyst (copy)" })).toBeVisible();
  await expect(page.getByLabel("Instructions", { exact: true })).toHaveValue(/You are a research analyst/);
  await expect(page.getByText("Version 1 is live")).toBeVisible();
});

test("an agent goes out as a file and comes back from it", async ({ page, api, model, problems }, testInfo) => {
  problems.allow(...refusal("import_agent"));
  const agent = await createScriptedAgent(api, model, "Lighthouse Keeper");
  await open(page, `/agents/${agent.id}`);
  const downloading = page.waitForEvent("download");
  await page.getByRole("link", { name: "Export" }).click();
  const download = await downloading;
  expect(download.suggestedFilename()).toBe("lighthouse-keeper.yaml");
  const text = await readFile(await download.path(), "utf8");
  expect(text).not.toContain(agent.id);

  await open(page, "/agents");
  await page.getByRole("link", { name: "Import" }).click();
  await page.getByLabel("Text of the file").fill(text.replace(/connection: .*/, "connection: Elsewhere"));
  await page.getByRole("button", { name: "Import agent" }).click();
  await expect(page.getByRole("alert")).toContainText("model.connection");
  await expect(page.getByRole("alert")).toContainText("Elsewhere");
  const file = testInfo.outputPath("agent.yaml");
  await writeFile(file, text.replace("Lighthouse Keeper", "Keeper Two"));
  await page.getByLabel("File", { exact: true }).setInputFiles(file);
  await expect(page.getByLabel("Text of the file")).toHaveValue(/Keeper Two/);
  await page.getByRole("button", { name: "Import agent" }).click();

  await expect(page.getByRole("heading", { level: 1, name: "Keeper Two" })).toBeVisible();
  await expect(page.getByLabel("Instructions", { exact: true })).toHaveValue("Answer briefly.");
});

test("each version shows who changed what, and comes back from there", async ({ page, api, model }) => {
  const agent = await createScriptedAgent(api, model, "Tide Reader");
  await api.patch(`/api/v1/agents/${agent.id}`, {
    data: { name: "Tide Watcher", instructions: "Answer briefly.\nName the harbour.", tags: ["sea"] },
  });
  await open(page, `/agents/${agent.id}`);
  await page.getByRole("link", { name: "What each version changed" }).click();

  const second = page.getByRole("region", { name: "Version 2" });
  await expect(second).toContainText("ada@example.com");
  await expect(second.locator("del")).toHaveText("Tide Reader");
  await expect(second.locator("ins").first()).toHaveText("Tide Watcher");
  await expect(second.getByRole("group", { name: "Changed lines of instructions" })).toContainText("Name the harbour.");
  await expect(page.getByRole("region", { name: "Version 1" })).toContainText("The agent was made.");
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.filter(({ impact }) => impact === "serious" || impact === "critical")).toEqual([]);

  await page.getByRole("region", { name: "Version 1" }).getByRole("button", { name: "Restore" }).click();

  await expect(page.getByRole("region", { name: "Version 3" }).locator("ins").first()).toHaveText("Tide Reader");
});

test("several fallbacks are chosen, and one is taken away again", async ({ page, api, model }) => {
  const agent = await createScriptedAgent(api, model, "Fallback Sailor");
  await open(page, `/agents/${agent.id}`);
  const connection = page.getByLabel("First fallback connection");
  const scripted = await page.getByLabel("Connection", { exact: true }).inputValue();
  await connection.selectOption(scripted);
  await page.getByLabel("First fallback model").fill("scripted-small");
  await page.getByText("More fallbacks").click();
  await page.getByLabel("Third fallback connection").selectOption(scripted);
  await page.getByLabel("Third fallback model").fill("scripted-tiny");
  await page.getByLabel("Steps").fill("7");
  await page.getByRole("button", { name: "Publish", exact: true }).click();
  await expect(page.getByText("Version 2 is live").first()).toBeVisible();

  const saved = await (await api.get(`/api/v1/agents/${agent.id}`)).json();
  expect(saved.fallbacks.map(({ name }: { name: string }) => name)).toEqual(["scripted-small", "scripted-tiny"]);
  expect(saved.limits.max_iterations).toBe(7);

  await open(page, `/agents/${agent.id}`);
  await expect(page.getByLabel("Second fallback model")).toHaveValue("scripted-tiny");
  await page.getByLabel("First fallback connection").selectOption("None");
  await page.getByRole("button", { name: "Publish", exact: true }).click();
  await expect(page.getByText("Version 3 is live").first()).toBeVisible();
  const changed = await (await api.get(`/api/v1/agents/${agent.id}`)).json();
  expect(changed.fallbacks.map(({ name }: { name: string }) => name)).toEqual(["scripted-tiny"]);
});

test("thoughts stand folded above the answer, live and after a reload", async ({ page, api, agent, model }) => {
  await open(page, await startConversation(api, agent));
  model.next({ reasoning: ["First this, ", "then that."], chunks: ["It ", "is so."] });

  await ask(page, "Is it so?");
  await expect(answerOf(page, agent.name)).toHaveText("It is so.");
  const thoughts = page.getByText("First this, then that.");
  await expect(thoughts).toBeHidden();
  await page.getByText(/^Thought for \d+ s$/).click();
  await expect(thoughts).toBeVisible();

  await page.reload();
  await expect(answerOf(page, agent.name)).toHaveText("It is so.");
  await page.getByText(/^Thought for \d+ s$/).click();
  await expect(page.getByText("First this, then that.")).toBeVisible();
});

test("the model names the conversation while one looks", async ({ page, api, model }) => {
  const agent = await createScriptedAgent(api, model, "Namer");
  await api.patch(`/api/v1/agents/${agent.id}`, { data: { conversation_titles: "model" } });
  // A page hears of the title on its stream, so that must be there.
  const stream = page.waitForResponse(/\/events\?render=html/);
  await open(page, await startConversation(api, agent));
  await stream;
  model.next({ chunks: ["Take the night train."] });
  const title = model.hold(['"Trip to Rome."']);
  // What the page reads at the end of the answer has the old title, and comes after the new one.
  let letThrough = () => {};
  const isShown = new Promise<void>((resolve) => (letThrough = resolve));
  const isRead = page.waitForResponse(/\/api\/open_thread/);
  await page.route("**/api/open_thread*", async (route) => {
    const response = await route.fetch();
    title.finish();
    await isShown;
    await route.fulfill({ response });
  });

  await ask(page, "How do I get to Rome by Friday?");

  const heading = page.getByRole("heading", { level: 1, name: "Trip to Rome", exact: true });
  await expect(heading).toBeVisible();
  letThrough();
  await (await isRead).finished();
  await painted(page);
  await expect(heading).toBeVisible();
  await expect(page).toHaveTitle(/^Trip to Rome/);
  await expect(page.getByRole("navigation", { name: "Conversations" })).toContainText("Trip to Rome");
});

test.describe("without JavaScript", () => {
  test.use({ serverKind: "fresh", javaScriptEnabled: false });
  test.beforeEach(({ problems }) => problems.allow(SCRIPT_OFF));

  test("search, templates, copy and import work", async ({ page, api, model }) => {
    await setUp(api);
    const agent = await createScriptedAgent(api, model, "Harbour Pilot");
    await api.patch(`/api/v1/agents/${agent.id}`, { data: { tags: ["ships"] } });
    await page.goto("/sign-in");
    await fillSignIn(page);

    await page.goto("/agents");
    await page.getByRole("searchbox", { name: "Search agents" }).fill("pilot");
    await page.getByRole("button", { name: "Search" }).click();
    await expect(page).toHaveURL(/search=pilot/);
    await expect(page.getByRole("row")).toHaveCount(2);
    await page.getByRole("link", { name: /^ships/ }).first().click();
    await expect(page).toHaveURL(/tag=ships/);
    await expect(page.getByRole("row")).toHaveCount(2);

    await page.goto("/agents/new");
    await page.getByRole("link", { name: /Editor/ }).click();
    await expect(page.getByLabel("Name", { exact: true })).toHaveValue("Editor");
    await fillAgent(page, "My Editor", LOCAL_MODEL);
    await page.getByRole("button", { name: "Create agent" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "My Editor" })).toBeVisible();
    await page.getByRole("button", { name: "Duplicate" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "My Editor (copy)" })).toBeVisible();

    await page.goto("/agents/import");
    await page.getByLabel("Text of the file").fill("name: Lost\nmodel: {connection: Nowhere, name: m}\n");
    await page.getByRole("button", { name: "Import agent" }).click();
    await expect(page.getByText(/Nowhere/)).toBeVisible();
  });
});
