// The catalog of tool servers: found, filled in, and added to by an administrator.
import { IMAGE } from "../support/engine";
import { open } from "../support/pages";
import { refusal } from "../support/problems";
import { expect, FOLLOWED_MS, MISSING, test, tryTool } from "../support/containers";

test.skip(Boolean(MISSING), MISSING);

/** As the official registry has it, of an image that the tests' engine holds. */
const BOXED = {
  $schema: "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
  name: "io.github.acme/boxed-tools",
  title: "Boxed tools",
  description: "Tools in a box",
  version: "1.0.0",
  repository: { url: "https://github.com/acme/boxed-tools", source: "github" },
  packages: [
    { registryType: "mcpb", identifier: "https://example.com/boxed.mcpb", transport: { type: "stdio" } },
    {
      registryType: "oci",
      identifier: IMAGE,
      transport: { type: "stdio" },
      environmentVariables: [
        { name: "TOKEN", description: "What opens the box", isRequired: true, isSecret: true },
        { name: "COLOUR", description: "Of the box", isRequired: true, choices: ["red", "green"] },
        { name: "NOTE", description: "On the box" },
        { name: "SIZE", value: "large" },
      ],
    },
  ],
};

test("the catalog is searched", async ({ page }) => {
  await open(page, "/tools/catalog");
  const servers = page.getByRole("region", { name: "Servers" });
  expect(await servers.getByRole("listitem").count()).toBeGreaterThanOrEqual(25);

  await page.getByRole("searchbox", { name: "Search the catalog" }).fill("NOTION");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/tools\/catalog\?q=NOTION$/);
  await expect(servers.getByRole("listitem")).toHaveCount(1);
  await expect(servers.getByRole("link", { name: /Notion/ })).toBeVisible();

  await page.getByRole("searchbox", { name: "Search the catalog" }).fill("no such thing");
  await page.keyboard.press("Enter");
  await expect(servers).toContainText("Nothing found");
});

test("what a built-in server needs is asked for", async ({ page, problems }) => {
  problems.allow(...refusal("add_catalog_server"));
  await open(page, "/tools/catalog/notion");
  const token = page.getByLabel("NOTION_TOKEN");
  await expect(token).toHaveAttribute("type", "password");
  await expect(token).toHaveAttribute("required");
  await expect(page.getByRole("main")).toContainText("may reach api.notion.com");

  // The browser lets a blank through, and the server does not.
  await token.fill(" ");
  await page.getByRole("button", { name: "Add server" }).click();
  await expect(page.getByRole("alert")).toContainText("NOTION_TOKEN: is required");
});

test("an administrator's own entry is added, filled in and taken out again", async ({ page, api, engine }) => {
  test.setTimeout(120_000);
  await open(page, "/tools/catalog");
  await page.getByLabel("server.json").fill(JSON.stringify(BOXED));
  await page.getByRole("button", { name: "Add to catalog" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Boxed tools" })).toBeVisible();
  await expect(page).toHaveURL("/tools/catalog/boxed-tools");

  const token = page.getByLabel("TOKEN");
  const colour = page.getByLabel("COLOUR");
  await expect(token).toHaveAttribute("type", "password");
  await expect(token).toHaveAttribute("required");
  await expect(colour.getByRole("option")).toHaveText(["Choose", "red", "green"]);
  await expect(page.getByLabel("NOTE")).not.toHaveAttribute("required");
  await expect(page.getByLabel("SIZE")).toHaveCount(0);
  await page.getByLabel("Name", { exact: true }).fill("boxed");
  await token.fill("hunter2-boxed");
  await colour.selectOption("green");
  await page.getByRole("button", { name: "Add server" }).click();

  await expect(page.getByRole("heading", { level: 1, name: "boxed" })).toBeVisible({ timeout: 30_000 });
  await expect(page.getByText("Ready", { exact: true })).toBeVisible({ timeout: FOLLOWED_MS });
  expect(await page.content()).not.toContain("hunter2-boxed");
  const id = new URL(page.url()).pathname.split("/").at(-1) ?? "";
  const { source } = await (await api.get(`/api/v1/mcp-servers/${id}`)).json();
  expect(source.env).toEqual({ COLOUR: "green", SIZE: "large" });
  expect(source.secret_names).toEqual(["TOKEN"]);
  expect(await tryTool(page, id, "environment", "TOKEN")).toContain("hunter2-boxed");

  await open(page, "/tools/catalog/boxed-tools");
  await page.getByRole("button", { name: "Take out of the catalog" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Take out", exact: true }).click();
  await expect(page).toHaveURL("/tools/catalog");
  await expect(page.getByRole("link", { name: /Boxed tools/ })).toHaveCount(0);
  await open(page, `/tools/${id}`);
  await expect(page.getByText("Ready", { exact: true })).toBeVisible();

  // Other tests of this worker count servers and containers.
  await open(page, "/tools/catalog");
  expect((await api.delete(`/api/v1/mcp-servers/${id}`)).ok()).toBeTruthy();
  await expect.poll(() => engine.countContainers(), { timeout: FOLLOWED_MS }).toBe(0);
});

test("a file that cannot be run says why and stays in the form", async ({ page, problems }) => {
  problems.allow(...refusal("add_catalog_entry"));
  await open(page, "/tools/catalog");
  const file = page.getByLabel("server.json");
  const [first] = BOXED.packages;
  for (const [text, words] of [
    ["{", /is not JSON/i],
    [JSON.stringify({ ...BOXED, packages: [first] }), /such packages cannot be run yet/],
    [JSON.stringify({ ...BOXED, packages: [], remotes: [{ type: "sse", url: "https://a.example/sse" }] }), /not spoken here/],
  ] as const) {
    await file.fill(text);
    await page.getByRole("button", { name: "Add to catalog" }).click();
    await expect(page.getByText(words)).toBeVisible();
    await expect(file).toHaveValue(text);
  }
});
