import { Gate, words, wordsText } from "../support/model";
import { answerOf, composer, fillAgent, fillSetUp, fillSignIn } from "../support/pages";
import { ADA, createScriptedAgent, LINUS, LOCAL_MODEL, setUp } from "../support/people";
import { SCRIPT_OFF } from "../support/problems";
import { expect, test } from "../support/fixtures";

test.use({ serverKind: "fresh", javaScriptEnabled: false });
test.beforeEach(({ problems }) => problems.allow(SCRIPT_OFF));

test("set-up works without JavaScript, and a wrong field is named", async ({ page }) => {
  await page.goto("/");
  await expect(page).toHaveURL("/setup");
  await fillSetUp(page, "0123456789");
  await expect(page.getByText(/at least 12 characters; this one has 10/)).toBeVisible();

  await fillSetUp(page);

  await expect(page).toHaveURL("/");
  await expect(page.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible();
});

test("sign-in, a new agent, a conversation and its answer work without JavaScript", async ({ page, api, model }) => {
  await setUp(api);
  await createScriptedAgent(api, model, "Latency Analyst");
  await page.goto("/sign-in");
  await fillSignIn(page);
  await expect(page).toHaveURL("/");

  await page.goto("/agents/new");
  await fillAgent(page, "Docs Librarian", LOCAL_MODEL);
  await page.getByRole("button", { name: "Create agent" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Docs Librarian" })).toBeVisible();

  model.next({ chunks: words(50) });
  await page.goto("/agents");
  await page.getByRole("link", { name: "Latency Analyst" }).click();
  await page.getByRole("button", { name: "Start conversation" }).click();
  await expect(page).toHaveURL(/\/conversations\/[0-9a-f-]{36}/);
  await composer(page).fill("How was last week?");
  // Twice, as an impatient person does: the form is the same, so is the message.
  await page.getByRole("button", { name: "Send", exact: true }).dblclick();
  await expect(page.getByRole("article", { name: /^You/ })).toContainText("How was last week?");

  await expect(async () => {
    await page.reload();
    await expect(answerOf(page, "Latency Analyst")).toHaveText(wordsText(50), { timeout: 500 });
  }).toPass({ timeout: 15_000 });
  await expect(page.getByRole("article")).toHaveCount(2);
});

test("sign-out and theme work without JavaScript", async ({ page, api }) => {
  await setUp(api);
  await page.goto("/sign-in");
  await fillSignIn(page);
  await expect(page).toHaveURL("/");

  await page.getByLabel("Theme").click();
  await page.getByRole("button", { name: "Dark" }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");

  await page.getByLabel(`Account of ${ADA.email}`).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL("/sign-in");
});

test("settings work without JavaScript, and say where they cannot", async ({ page, api }) => {
  await setUp(api);
  await page.goto("/sign-in");
  await fillSignIn(page);
  await page.goto("/settings");
  await expect(page).toHaveURL("/settings/profile");

  await page.getByLabel("Name", { exact: true }).fill("Ada Okafor");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByLabel("Account of Ada Okafor")).toBeVisible();
  await page.getByLabel("Current password", { exact: true }).fill("wrong horse battery");
  await page.getByLabel("New password", { exact: true }).fill("a new horse battery");
  await page.getByRole("button", { name: "Change password" }).click();
  await expect(page.getByLabel("Current password", { exact: true })).toHaveAttribute("aria-invalid", "true");

  await page.goto("/settings/api-keys");
  await expect(page.getByText(/shown once, which needs JavaScript/)).toBeVisible();
  await expect(page.getByRole("button", { name: "Create key" })).toBeHidden();

  await page.goto("/settings/workspace");
  await page.getByLabel("Name of the new workspace").fill("Skunkworks");
  await page.getByRole("button", { name: "Create workspace" }).click();
  await expect(page).toHaveURL("/");
  await page.getByLabel("Workspace Skunkworks: go to another").click();
  await page.getByRole("button", { name: ADA.workspace }).click();
  await expect(page.getByLabel(`Workspace ${ADA.workspace}: go to another`)).toBeVisible();

  await page.goto("/settings/audit");
  await page.getByLabel("Action").selectOption("Changed name or password");
  await page.getByRole("button", { name: "Filter" }).click();
  await expect(page).toHaveURL(/action=user\.update/);
  await expect(page.getByRole("row")).toHaveCount(2);
});

test("an invitation is accepted without JavaScript", async ({ page, api }) => {
  await setUp(api);
  const invited = await api.post("/api/v1/invitations", { data: { email: LINUS.email, role: "member" } });
  await page.goto((await invited.json()).link);

  await page.getByLabel("New password", { exact: true }).fill("short");
  await page.getByRole("button", { name: "Accept and sign in" }).click();
  await expect(page.getByText(/at least 12 characters; this one has 5/)).toBeVisible();
  await page.getByLabel("New password", { exact: true }).fill(LINUS.password);
  await page.getByRole("button", { name: "Accept and sign in" }).click();

  await expect(page).toHaveURL("/");
  await expect(page.getByLabel("Main")).toContainText(ADA.workspace);
});

test("an answer is stopped and asked for again, and a conversation renamed and deleted, without JavaScript", async ({
  page,
  api,
  model,
}) => {
  await setUp(api);
  const agent = await createScriptedAgent(api, model, "Latency Analyst");
  const created = await api.post("/api/v1/conversations", { data: { agent_id: agent.id } });
  const conversation = `/conversations/${(await created.json()).id}`;
  await page.goto("/sign-in");
  await fillSignIn(page);
  await expect(page).toHaveURL("/");
  const gate = new Gate();
  model.next({ chunks: words(5), gate });
  model.next({ chunks: [], status: 400 });
  model.next({ chunks: words(3) });
  const answer = answerOf(page, "Latency Analyst");

  await page.goto(conversation);
  await composer(page).fill("How was last week?");
  const asked = model.requests.length;
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await expect.poll(() => model.requests.length).toBe(asked + 1);
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(async () => {
    await page.goto(conversation);
    await expect(page.getByText("Stopped.", { exact: true })).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 15_000 });
  gate.finish();

  await composer(page).fill("And the week before?");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await expect(async () => {
    await page.goto(conversation);
    await expect(page.getByText("This answer failed.")).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 15_000 });
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(async () => {
    await page.goto(conversation);
    await expect(answer.last()).toHaveText(wordsText(3), { timeout: 500 });
  }).toPass({ timeout: 15_000 });

  await page.getByLabel(/^More:/).click();
  await page.getByRole("button", { name: "Rename…" }).click();
  await page.getByLabel("Title", { exact: true }).fill("Two weeks");
  await page.getByRole("button", { name: "Rename", exact: true }).click();
  await page.goto(conversation);
  await expect(page.getByRole("heading", { level: 1, name: "Two weeks" })).toBeVisible();

  await page.getByLabel(/^More:/).click();
  await page.getByRole("button", { name: "Delete…" }).click();
  await page.getByRole("button", { name: "Delete conversation" }).click();
  await expect(page).toHaveURL("/conversations");
  await expect(page.getByText("Two weeks")).toHaveCount(0);
});

test("a message sent while an answer is written waits for its turn without JavaScript", async ({ page, api, model }) => {
  await setUp(api);
  const agent = await createScriptedAgent(api, model, "Latency Analyst");
  const created = await api.post("/api/v1/conversations", { data: { agent_id: agent.id } });
  const conversation = `/conversations/${(await created.json()).id}`;
  await page.goto("/sign-in");
  await fillSignIn(page);
  await expect(page).toHaveURL("/");
  const gate = model.hold(["one ", "done"]);
  model.next({ chunks: ["two ", "done"] });
  const asked = model.requests.length;

  await page.goto(conversation);
  await composer(page).fill("One?");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await expect(page.getByRole("button", { name: "Stop" })).toBeVisible();
  await expect.poll(() => model.requests.length).toBe(asked + 1);
  await composer(page).fill("Two?");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await expect(page).toHaveURL(conversation);
  await expect(page.getByRole("article", { name: /^You/ })).toHaveText([/One\?/, /Two\?/]);
  expect(model.requests.length).toBe(asked + 1);
  gate.finish();

  const answers = page.getByRole("article", { name: "Latency Analyst" }).locator(".markdown");
  await expect(async () => {
    await page.goto(conversation);
    await expect(answers).toHaveText(["one done", "two done"], { timeout: 500 });
  }).toPass({ timeout: 15_000 });
  await expect(page.getByRole("article")).toHaveCount(4);
});

test("a connection is tested before it is saved without JavaScript", async ({ page, api, model }) => {
  await setUp(api);
  await page.goto("/sign-in");
  await fillSignIn(page);
  await page.goto("/models/new?provider=custom");
  await page.getByLabel("Name", { exact: true }).fill("Tried first");
  await page.getByLabel("Base URL", { exact: true }).fill("http://127.0.0.1:9/v1");
  await page.getByRole("button", { name: "Test", exact: true }).click();
  await expect(page.getByRole("main")).toContainText("127.0.0.1:9");

  await page.getByLabel("Name", { exact: true }).fill("Tried first");
  await page.getByLabel("Base URL", { exact: true }).fill(model.baseUrl);
  await page.getByRole("button", { name: "Test", exact: true }).click();
  await expect(page.getByText(/Answered in \d+ ms/)).toBeVisible();
  await expect(page).toHaveURL(/provider=custom/);
});
