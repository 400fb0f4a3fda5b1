import type { Browser, Page } from "@playwright/test";
import { accept, fillSignIn, invite, open, reload, signIn } from "../support/pages";
import { ADA, createLocalAgent, LINUS, setUp } from "../support/people";
import { failedPage, refusal } from "../support/problems";
import { expect, test } from "../support/fixtures";

test.use({ serverKind: "fresh" });
test.beforeEach(async ({ page, api }) => {
  await setUp(api);
  await signIn(page);
});

/** A page in a browser of somebody else. */
async function otherBrowser(browser: Browser, baseURL: string): Promise<Page> {
  const context = await browser.newContext({ baseURL });
  return context.newPage();
}

/** The row of a person in the list of members. */
function member(page: Page, email: string) {
  return page.getByRole("region", { name: "Members" }).getByRole("listitem").filter({ hasText: email });
}

test("who is invited joins in another browser and sees what the role allows", async ({ page, api, browser, server }) => {
  await createLocalAgent(api, "Docs Librarian");
  const link = await invite(page, LINUS.email, "member");
  expect(link).toContain(`${server.origin}/invitations/`);
  await expect(page.getByRole("region", { name: "Open invitations" })).toContainText(LINUS.email);

  const linus = await otherBrowser(browser, server.origin);
  await open(linus, link);
  await expect(linus.getByRole("heading", { level: 1 })).toHaveText(`Join ${ADA.workspace}`);
  await expect(linus.getByRole("main")).toContainText("Member");
  await accept(linus, link, LINUS.password);

  await expect(linus.getByLabel("Main")).toContainText(ADA.workspace);
  await open(linus, "/agents");
  await expect(linus.getByRole("link", { name: "Docs Librarian" }).first()).toBeVisible();
  await expect(linus.getByRole("link", { name: "New agent" })).toBeVisible();
  await open(linus, "/settings/members");
  const settings = linus.getByRole("navigation", { name: "Settings" });
  await expect(settings.getByRole("link")).toHaveText(["Profile", "Sessions", "API keys", "Members"]);
  await expect(member(linus, ADA.email)).toContainText("Owner");
  await expect(linus.getByRole("region", { name: "Invite somebody" })).toHaveCount(0);
  await expect(linus.getByRole("button", { name: /^Remove/ })).toHaveCount(0);
  // An invitation works once.
  const response = await linus.goto(link);
  expect(response?.status()).toBe(404);
  await expect(linus.getByRole("heading", { name: "This invitation does not work" })).toBeVisible();

  await reload(page);
  await expect(member(page, LINUS.email)).toBeVisible();
  await expect(page.getByText("No open invitations")).toBeVisible();
});

test("a viewer loses the buttons, and forbidden pages say so", async ({ page, browser, server }) => {
  const linus = await otherBrowser(browser, server.origin);
  await accept(linus, await invite(page, LINUS.email, "member"), LINUS.password);
  await open(linus, "/agents");
  await expect(linus.getByRole("link", { name: "New agent" }).first()).toBeVisible();

  await open(page, "/settings/members");
  const row = member(page, LINUS.email);
  await expect(row.getByRole("button", { name: "Save" })).toBeHidden();
  await row.getByLabel(`Role of ${LINUS.email}`).selectOption("viewer");
  await row.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Role changed")).toBeVisible();

  await reload(linus);
  await expect(linus.getByRole("heading", { level: 1, name: "Agents" })).toBeVisible();
  await expect(linus.getByRole("link", { name: "New agent" })).toHaveCount(0);
  await expect(linus.getByRole("link", { name: "New conversation" })).toHaveCount(0);
  for (const path of ["/agents/new", "/settings/audit", "/settings/workspace"]) {
    expect((await linus.goto(path))?.status(), path).toBe(403);
    await expect(linus.getByText("You may not see this"), path).toBeVisible();
  }
});

test("a removed person is locked out", async ({ page, browser, server }) => {
  const linus = await otherBrowser(browser, server.origin);
  await accept(linus, await invite(page, LINUS.email, "member"), LINUS.password);

  await open(page, "/settings/members");
  await member(page, LINUS.email).getByRole("button", { name: `Remove ${LINUS.email}` }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove member" }).click();

  await expect(member(page, LINUS.email)).toHaveCount(0);
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await linus.goto("/agents");
  await expect(linus).toHaveURL(/\/sign-in/);
  await open(linus, "/sign-in");
  await fillSignIn(linus, LINUS.password, LINUS.email);
  await expect(linus.getByRole("alert")).toBeVisible();
});

test("an invitation is taken back, and its link stops working", async ({ page, problems }) => {
  const link = await invite(page, LINUS.email, "viewer");
  await page.getByRole("button", { name: "Take back" }).click();
  await expect(page.getByText("No open invitations")).toBeVisible();

  problems.allow(...failedPage("/invitations/.*", 404));
  const response = await page.goto(link);

  expect(response?.status()).toBe(404);
  await expect(page.getByRole("heading", { name: "This invitation does not work" })).toBeVisible();
});

test("the last owner cannot leave", async ({ page, problems }) => {
  problems.allow(...refusal("remove_member"));
  await open(page, "/settings/members");

  await page.getByRole("button", { name: "Leave this workspace" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Leave workspace" }).click();

  await expect(page.getByRole("dialog").getByRole("alert")).toBeVisible();
  await open(page, "/agents");
  await expect(page.getByRole("heading", { level: 1, name: "Agents" })).toBeVisible();
});
