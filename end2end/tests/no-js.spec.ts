import { words, wordsText } from "../support/model";
import { answerOf, composer, fillAgent, fillSetUp, fillSignIn } from "../support/pages";
import { ADA, createScriptedAgent, LOCAL_MODEL, setUp } from "../support/people";
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
