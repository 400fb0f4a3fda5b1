import { accept, invite, open, signIn } from "../support/pages";
import { ADA, createLocalAgent, LINUS, setUp } from "../support/people";
import { failedPage } from "../support/problems";
import { expect, test } from "../support/fixtures";

test.use({ serverKind: "fresh" });

test("the log has the deeds in words, and filters by address", async ({ page, api, browser, server, problems }) => {
  await setUp(api);
  await createLocalAgent(api, "Docs Librarian");
  await signIn(page);
  const linus = await (await browser.newContext({ baseURL: server.origin })).newPage();
  await accept(linus, await invite(page, LINUS.email, "viewer"), LINUS.password);
  const refused = await linus.request.post("/api/v1/agents", {
    headers: { origin: server.origin },
    data: { name: "Forbidden", description: "", instructions: "", model: { connection_id: LOST, name: "x" } },
  });
  expect(refused.status()).toBe(403);

  await open(page, "/settings/audit");
  const rows = page.getByRole("row");
  await expect(rows.filter({ hasText: "Created an agent" }).filter({ hasText: "Docs Librarian" })).toContainText(ADA.email);
  await expect(rows.filter({ hasText: "Invited somebody" })).toContainText(LINUS.email);
  await expect(rows.filter({ hasText: "Joined the workspace" })).toContainText(LINUS.email);
  await expect(rows.filter({ hasText: "Created an agent" }).filter({ hasText: LINUS.email })).toContainText("Refused");

  await page.getByLabel("Result").selectOption("Refused");
  await page.getByRole("button", { name: "Filter" }).click();
  await expect(page).toHaveURL(/result=refused/);
  await expect(page.getByLabel("Result")).toHaveValue("refused");
  await expect(rows).toHaveCount(2);

  await page.getByLabel("Action").selectOption("Renamed the workspace");
  await page.getByRole("button", { name: "Filter" }).click();
  await expect(page.getByText("Nothing matches")).toBeVisible();
  await page.getByRole("link", { name: "Show everything" }).click();
  await expect(page).toHaveURL("/settings/audit");
  await expect(page.getByLabel("Action")).toHaveValue("");
  await page.getByLabel("Person").selectOption(LINUS.email);
  await page.getByRole("button", { name: "Filter" }).click();
  await expect(page).toHaveURL(/person=[0-9a-f-]{36}/);
  await expect(rows.filter({ hasText: "Joined the workspace" })).toBeVisible();
  await expect(rows.filter({ hasText: "Invited somebody" })).toHaveCount(0);

  problems.allow(...failedPage("/settings/audit\\?action=nonsense", 404));
  expect((await page.goto("/settings/audit?action=nonsense"))?.status()).toBe(404);
});

test("a long log goes on on a next page, with the same filter", async ({ page, api }) => {
  await setUp(api);
  for (let number = 0; number < 51; number += 1) await createLocalAgent(api, `Agent ${number}`);
  await signIn(page);
  await open(page, "/settings/audit?action=agent.create");
  await expect(page.getByRole("row")).toHaveCount(51);

  await page.getByRole("link", { name: "Older" }).click();

  await expect(page).toHaveURL(/action=agent(\.|%2E)create/);
  await expect(page.getByRole("row")).toHaveCount(2);
  await expect(page.getByRole("row").last()).toContainText("Agent 0");
  await page.getByRole("link", { name: "Newest" }).click();
  await expect(page.getByRole("row")).toHaveCount(51);
});

const LOST = "01890000-0000-7000-8000-000000000001";
