import { fillAgent, open, painted } from "../support/pages";
import { LOCAL_MODEL } from "../support/people";
import { refusal } from "../support/problems";
import { LOOK_UP, ToolServer } from "../support/tool-server";
import { expect, test as base } from "../support/fixtures";

const test = base.extend<{ tools: ToolServer }>({
  tools: async ({}, use) => {
    const tools = await ToolServer.start();
    await use(tools);
    await tools.close();
  },
});

test("a server is added, a tool tried, and given to an agent", async ({ page, tools }) => {
  await open(page, "/tools");
  await page.getByRole("link", { name: "Add server" }).first().click();
  await page.getByLabel("Name", { exact: true }).fill("dictionary");
  await page.getByLabel("URL", { exact: true }).fill(tools.url);
  await page.getByLabel("Name of new header 1").fill("Authorization");
  await page.getByLabel("Value of new header 1").fill("Bearer opensesame");
  await page.getByRole("button", { name: "Add server" }).click();

  await expect(page.getByRole("heading", { level: 1, name: "dictionary" })).toBeVisible();
  await expect(page.getByText("Ready", { exact: true })).toBeVisible();
  expect(tools.authorization).toBe("Bearer opensesame");
  await expect(page.getByRole("main")).not.toContainText("opensesame");

  const trial = page.getByRole("region", { name: "Try a tool" });
  await trial.getByLabel("word").fill("hello");
  await trial.getByLabel("limit").fill("3");
  await trial.getByRole("button", { name: "Run" }).click();
  await expect(trial.getByRole("status")).toContainText('looked up {"limit":3,"word":"hello"}');

  await open(page, "/agents/new");
  await fillAgent(page, "Lexicographer", LOCAL_MODEL);
  await page.locator("summary").filter({ hasText: "dictionary" }).click();
  await page.getByRole("checkbox", { name: /look_up/ }).check();
  await page.getByLabel("When to ask before look_up").selectOption("Always ask");
  await page.getByRole("button", { name: "Create agent" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Lexicographer" })).toBeVisible();
  await expect(page.getByRole("checkbox", { name: /look_up/ })).toBeChecked();
  await expect(page.getByLabel("When to ask before look_up")).toHaveValue("always");
});

test("a changed tool is shown side by side and accepted", async ({ page, api, tools }) => {
  const added = await api.post("/api/v1/mcp-servers", {
    data: { name: "changing", source: { type: "remote", url: tools.url } },
  });
  const { id } = await added.json();
  tools.tools = [{ ...LOOK_UP, description: "Looks a word up and tells everybody" }];
  await open(page, `/tools/${id}`);

  await page.getByRole("button", { name: "Restart" }).click();

  const change = page.getByRole("region", { name: "Changed definition of look_up" });
  await expect(change.getByRole("group", { name: "Accepted definition" })).toContainText('"Looks a word up"');
  await expect(change.getByRole("group", { name: "Definition now offered" })).toContainText("tells everybody");
  await change.getByRole("button", { name: "Accept new definition" }).click();
  await expect(change).toHaveCount(0);
  await expect(page.getByText("1 tool quarantined")).toHaveCount(0);
});

test("a server that cannot be reached says why, and works once it can", async ({ page, tools }) => {
  await open(page, "/tools/new");
  await page.getByLabel("Name", { exact: true }).fill("unreachable");
  await page.getByLabel("URL", { exact: true }).fill("http://127.0.0.1:9/mcp");
  await page.getByRole("button", { name: "Add server" }).click();
  await expect(page.getByRole("alert")).toContainText("cannot be reached: connection refused");

  await page.getByLabel("URL", { exact: true }).fill(tools.url);
  await page.getByRole("button", { name: "Save", exact: true }).click();

  await expect(page.getByText("Ready", { exact: true })).toBeVisible();
});

test("a look at servers that is answered after its page was left does no harm", async ({ page, api, tools }) => {
  const added = await api.post("/api/v1/mcp-servers", {
    data: { name: "left", source: { type: "remote", url: tools.url } },
  });
  const { id } = await added.json();
  for (const [path, asked] of [
    [`/tools/${id}`, "get_tool_server"],
    ["/tools", "list_tool_servers"],
  ] as const) {
    let letThrough = () => {};
    const isLeft = new Promise<void>((resolve) => (letThrough = resolve));
    await page.route(`**/api/${asked}*`, async (route) => {
      const response = await route.fetch();
      await isLeft;
      await route.fulfill({ response });
    });
    await open(page, path);
    const look = await page.waitForRequest(new RegExp(`/api/${asked}`));

    await page.getByRole("link", { name: "Usage", exact: true }).click();
    await expect(page).toHaveTitle(/^Usage/);
    letThrough();

    await (await look.response())?.finished();
    await painted(page);
    await page.getByRole("link", { name: "Models", exact: true }).click();
    await expect(page).toHaveTitle(/^Models/);
  }
});

test("a wrong name is refused and nothing typed is lost", async ({ page, problems }) => {
  problems.allow(...refusal("add_tool_server"));
  await open(page, "/tools/new");
  await page.getByLabel("Name", { exact: true }).fill("Not A Slug");
  await page.getByLabel("URL", { exact: true }).fill("https://tools.example.com/mcp");
  await page.getByRole("button", { name: "Add server" }).click();

  await expect(page.getByText(/must begin with a small letter/i)).toBeVisible();
  await expect(page.getByLabel("Name", { exact: true })).toHaveValue("Not A Slug");
  await expect(page.getByLabel("URL", { exact: true })).toHaveValue("https://tools.example.com/mcp");
});

test("a server that asks for it is signed in at, and out again", async ({ page, api, tools, problems }) => {
  // The person goes there, and comes back.
  problems.allow(/^foreign request: http:\/\/127\.0\.0\.1:\d+\/authorize\?/);
  tools.isGuarded = true;
  const added = await api.post("/api/v1/mcp-servers", {
    data: { name: "guarded", source: { type: "remote", url: tools.url } },
  });
  const { id } = await added.json();
  await open(page, `/tools/${id}`);
  await expect(page.getByRole("main").getByText("Sign in needed").first()).toBeVisible();

  await page.getByRole("button", { name: "Sign in" }).click();

  await page.waitForURL(`**/tools/${id}`);
  await expect(page.getByText("Ready", { exact: true })).toBeVisible();
  await expect(page.getByText("Somebody has signed in there")).toBeVisible();
  await expect(page.getByRole("main")).not.toContainText("opensesame");

  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
});

test("a sign-in that nobody began says what to do", async ({ page }) => {
  await page.goto("/oauth/callback?state=guessed&code=x");

  await expect(page).toHaveURL(/\/tools\?sign_in=unknown$/);
  await expect(page.getByText("This sign-in is not known here")).toBeVisible();
});
