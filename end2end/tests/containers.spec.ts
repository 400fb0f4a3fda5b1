// A tool server in a container, on a real engine: from an empty workspace to an agent that used it.
import { refusal } from "../support/problems";
import { answerOf, ask, open } from "../support/pages";
import { createScriptedAgent, postMessage, runEnd, startConversation } from "../support/people";
import { IMAGE } from "../support/engine";
import { expect, FOLLOWED_MS, MISSING, test, tryTool } from "../support/containers";

test.skip(Boolean(MISSING), MISSING);

test("an image becomes a server whose tool an agent uses", async ({ page, api, model, engine }) => {
  test.setTimeout(120_000);
  await open(page, "/tools");
  await expect(page.getByText("No tool server yet")).toBeVisible();
  await open(page, "/tools/new/container");
  await page.getByLabel("Name", { exact: true }).fill("boxed");
  await page.getByLabel("Image", { exact: true }).fill(IMAGE);
  await page.getByLabel("Memory, MiB").fill("64");
  await page.getByRole("button", { name: "Add server" }).click();

  await expect(page.getByRole("heading", { level: 1, name: "boxed" })).toBeVisible({ timeout: 30_000 });
  await expect(page.getByText("Ready", { exact: true })).toBeVisible({ timeout: FOLLOWED_MS });
  await expect(page.getByRole("region", { name: "Log" })).toContainText("tool server is listening", { timeout: FOLLOWED_MS });
  // The server's, and that of the relay which notes what it tries to reach.
  await expect.poll(() => engine.countContainers(), { timeout: FOLLOWED_MS }).toBe(2);
  const id = new URL(page.url()).pathname.split("/").at(-1) ?? "";

  // The agent is made on its page, with a tool of the server.
  const helper = await createScriptedAgent(api, model, "Helper");
  await open(page, `/agents/${helper.id}`);
  await page.locator("summary").filter({ hasText: "boxed" }).click();
  await page.getByRole("checkbox", { name: /\becho\b/ }).check();
  await page.getByLabel("When to ask before echo").selectOption("Never ask");
  await page.getByRole("button", { name: "Publish", exact: true }).click();
  model.next({ chunks: [], tools: [["boxed__echo", { value: "from the box" }]] });
  model.next({ chunks: ["It said it."] });
  await open(page, await startConversation(api, helper));
  await ask(page, "Say it");
  await expect(answerOf(page, helper.name)).toHaveText("It said it.");
  const call = page.getByRole("article", { name: helper.name }).first().locator("details.tool");
  await call.locator("summary").click();
  await expect(call.locator("pre")).toHaveText("from the box");
  expect(JSON.stringify(model.requests.at(-1))).toContain("from the box");

  // Its page follows the log and the state without being loaded again.
  await open(page, `/tools/${id}`);
  const teller = await createScriptedAgent(api, model, "Teller", [
    { server_id: id, name: "tell", approval: "never" },
  ]);
  model.next({ chunks: [], tools: [["boxed__tell", { value: "HOME" }]] });
  model.next({ chunks: ["told"] });
  const run = await postMessage(api, await startConversation(api, teller), "Tell it");
  expect(await runEnd(api, run)).toBe("completed");
  await expect(page.getByRole("region", { name: "Log" })).toContainText("told to say /tmp", { timeout: FOLLOWED_MS });
  const stopped = await api.post(`/api/v1/mcp-servers/${id}/stop`);
  expect(stopped.ok()).toBeTruthy();
  await expect(page.getByText("Stopped", { exact: true })).toBeVisible({ timeout: FOLLOWED_MS });
  await expect.poll(() => engine.countContainers(), { timeout: FOLLOWED_MS }).toBe(0);
});

test("the list shows by itself what becomes of a server", async ({ page, api }) => {
  const made = await api.post("/api/v1/mcp-servers", {
    data: { name: "followed", source: { type: "container", image: IMAGE, resources: { memory_mb: 64 } } },
  });
  const { id } = await made.json();
  await open(page, "/tools");
  const row = page.getByRole("listitem").filter({ hasText: "followed" });
  await expect(row).toContainText("Ready", { timeout: FOLLOWED_MS });

  await api.post(`/api/v1/mcp-servers/${id}/stop`);

  await expect(row).toContainText("Stopped", { timeout: FOLLOWED_MS });
});

test("a quota that would be exceeded is told in the form", async ({ page, problems }) => {
  problems.allow(...refusal("add_container_server"));
  for (const [label, words] of [
    ["Memory, MiB", "MiB of memory together"],
    ["Processor, thousandths", "thousandths of a processor together"],
  ] as const) {
    await open(page, "/tools/new/container");
    await page.getByLabel("Name", { exact: true }).fill("greedy");
    await page.getByLabel("Image", { exact: true }).fill(IMAGE);
    await page.getByLabel(label).fill("12000");
    await page.getByRole("button", { name: "Add server" }).click();

    await expect(page.getByText(words)).toBeVisible();
    await expect(page.getByLabel("Image", { exact: true })).toHaveValue(IMAGE);
  }
});

test("what was refused and what is used is on the server's page", async ({ page, api, model }) => {
  test.setTimeout(120_000);
  const source = {
    type: "container",
    image: IMAGE,
    egress: ["example.com:443"],
    resources: { memory_mb: 64 },
  };
  const made = await api.post("/api/v1/mcp-servers", { data: { name: "watched", source } });
  const { id } = await made.json();
  await open(page, `/tools/${id}`);
  const network = page.getByRole("region", { name: "Network" });
  await expect(network).toContainText("Nothing was refused");

  const caller = await createScriptedAgent(api, model, "Caller", [
    { server_id: id, name: "fetch", approval: "never" },
  ]);
  model.next({ chunks: [], tools: [["watched__fetch", { value: "elsewhere.example:443" }]] });
  model.next({ chunks: ["tried"] });
  const run = await postMessage(api, await startConversation(api, caller), "Fetch it");
  expect(await runEnd(api, run)).toBe("completed");

  await expect(network).toContainText("elsewhere.example:443", { timeout: FOLLOWED_MS });
  const container = page.getByRole("region", { name: "Container", exact: true });
  await expect(container.getByRole("img", { name: /processor, last ten minutes/ })).toBeVisible({ timeout: 30_000 });
  await expect(container.getByRole("img", { name: /of 64 MiB memory/ })).toBeVisible();
});

test("a server is stopped, started again and deleted by its buttons", async ({ page, api, engine }) => {
  test.setTimeout(120_000);
  const before = await engine.countContainers();
  const made = await api.post("/api/v1/mcp-servers", {
    data: { name: "shortlived", source: { type: "container", image: IMAGE, resources: { memory_mb: 64 } } },
  });
  const { id } = await made.json();
  await open(page, `/tools/${id}`);
  await expect(page.getByText("Ready", { exact: true })).toBeVisible({ timeout: FOLLOWED_MS });

  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await expect(page.getByText("Stopped", { exact: true }).first()).toBeVisible();
  await expect.poll(() => engine.countContainers(), { timeout: FOLLOWED_MS }).toBe(before);
  await expect(page.getByRole("button", { name: "Stop", exact: true })).toHaveCount(0);

  await page.getByRole("button", { name: "Restart", exact: true }).click();
  await expect(page.getByText("Ready", { exact: true })).toBeVisible({ timeout: FOLLOWED_MS });
  expect(await engine.countContainers()).toBeGreaterThan(before);

  await page.getByRole("button", { name: "Delete", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Delete shortlived?" });
  await dialog.getByRole("button", { name: "Keep it" }).click();
  await expect(dialog).toBeHidden();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await dialog.getByRole("button", { name: "Delete server" }).click();
  await expect(page).toHaveURL("/tools");
  await expect(page.getByText("shortlived")).toHaveCount(0);
  await expect.poll(() => engine.countContainers(), { timeout: FOLLOWED_MS }).toBe(before);
});

test("secrets of a container are written, kept, replaced and removed, and never shown", async ({ page }) => {
  test.setTimeout(120_000);
  await open(page, "/tools/new/container");
  await page.getByLabel("Name", { exact: true }).fill("secretive");
  await page.getByLabel("Image", { exact: true }).fill(IMAGE);
  await page.getByLabel("Memory, MiB").fill("64");
  await page.getByLabel("Name of new header 1").fill("TOKEN");
  const typed = page.getByLabel("Value of new header 1");
  await expect(typed).toHaveAttribute("type", "password");
  await typed.fill("hunter2-first");
  await page.getByRole("button", { name: "Add server" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "secretive" })).toBeVisible({ timeout: 30_000 });
  const id = new URL(page.url()).pathname.split("/").at(-1) ?? "";
  const stored = page.getByLabel("New value of TOKEN; empty keeps the stored one");
  const save = async (): Promise<void> => {
    await page.getByRole("button", { name: "Save and restart" }).click();
    await expect(page.getByText("Saved and started anew")).toBeVisible({ timeout: FOLLOWED_MS });
  };

  await open(page, `/tools/${id}`);
  await expect(stored).toHaveValue("");
  expect(await page.content()).not.toContain("hunter2-first");
  await page.getByLabel("Environment", { exact: true }).fill("COLOUR=green");
  await save();
  expect(await tryTool(page, id, "environment", "TOKEN")).toContain("hunter2-first");
  expect(await tryTool(page, id, "environment", "COLOUR")).toContain("green");

  await stored.fill("hunter2-second");
  await save();
  await open(page, `/tools/${id}`);
  expect(await page.content()).not.toContain("hunter2");
  expect(await tryTool(page, id, "environment", "TOKEN")).toContain("hunter2-second");

  await page.getByLabel("Remove TOKEN").check();
  await save();
  await open(page, `/tools/${id}`);
  await expect(stored).toHaveCount(0);
  expect(await tryTool(page, id, "environment", "TOKEN")).not.toContain("hunter2");
});

test("a package of npm or PyPI is named in the form in place of an image", async ({ page, problems }) => {
  problems.allow(...refusal("add_container_server"));
  await open(page, "/tools/new/container");
  await page.getByLabel("Name", { exact: true }).fill("scoped");
  for (const [typed, words] of [
    ["npm:@acme/tools", "version: is required"],
    ["npm:@acme/tools@latest", "must be exact, such as 1.2.3"],
  ] as const) {
    await page.getByLabel("Image", { exact: true }).fill(typed);
    await page.getByRole("button", { name: "Add server" }).click();
    await expect(page.getByRole("alert")).toContainText(words);
    await expect(page.getByLabel("Image", { exact: true })).toHaveValue(typed);
  }

  for (const [name, typed, told] of [
    ["scoped", "npm:@acme/tools@1.2.3", "@acme/tools 1.2.3 of npm"],
    ["plain", "pypi:acme-tools==2.0", "acme-tools 2.0 of PyPI"],
  ] as const) {
    await open(page, "/tools/new/container");
    await page.getByLabel("Name", { exact: true }).fill(name);
    await page.getByLabel("Image", { exact: true }).fill(typed);
    await page.getByRole("button", { name: "Add server" }).click();

    await expect(page.getByRole("heading", { level: 1, name })).toBeVisible({ timeout: 30_000 });
    await expect(page.getByRole("main")).toContainText(told);
    // Here is no image to build it on, which the page says.
    await expect(page.getByText("Failed", { exact: true })).toBeVisible({ timeout: FOLLOWED_MS });
    await expect(page.getByRole("main")).toContainText("localhost:1/nowhere/");
    await expect(page.getByLabel("Version", { exact: true })).toHaveValue(/^(1\.2\.3|2\.0)$/);
  }
});
