// Steps that people take in the browser.
import { expect, type Locator, type Page } from "@playwright/test";
import { ADA } from "./people";

/** The pages of the settings, as an owner has them. */
export const SETTINGS = ["profile", "sessions", "api-keys", "workspace", "members", "audit"].map((name) => `/settings/${name}`);

/** Opens a page and waits until its browser half is at work. */
export async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await hydrated(page);
}

/** Loads the page again and waits until its browser half is at work. */
export async function reload(page: Page): Promise<void> {
  await page.reload();
  await hydrated(page);
}

/** Waits until the WebAssembly of the page in view has taken over. */
export async function hydrated(page: Page): Promise<void> {
  await page.waitForFunction(() => performance.getEntriesByName("hydrated").length > 0);
}

/** Waits until what changed just now is drawn. */
export async function painted(page: Page): Promise<void> {
  await page.evaluate(() => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown))));
}

export async function fillSetUp(page: Page, password: string = ADA.password): Promise<void> {
  await page.getByLabel("Workspace", { exact: true }).fill(ADA.workspace);
  await page.getByLabel("E-mail", { exact: true }).fill(ADA.email);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Create workspace" }).click();
}

export async function fillSignIn(page: Page, password: string = ADA.password, email: string = ADA.email): Promise<void> {
  await page.getByLabel("E-mail", { exact: true }).fill(email);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Signs in and waits for the home page. */
export async function signIn(page: Page, password: string = ADA.password, email: string = ADA.email): Promise<void> {
  await open(page, "/sign-in");
  await fillSignIn(page, password, email);
  await expect(page).toHaveURL("/");
  await hydrated(page);
}

/** Invites somebody on the members page; answers the link. */
export async function invite(page: Page, email: string, role: string): Promise<string> {
  await open(page, "/settings/members");
  const form = page.getByRole("region", { name: "Invite somebody" });
  await form.getByLabel("E-mail", { exact: true }).fill(email);
  await form.getByLabel("Role", { exact: true }).selectOption(role);
  await form.getByRole("button", { name: "Create invitation" }).click();
  return form.getByLabel("Link of the invitation").inputValue();
}

/** Accepts an invitation with a new password. */
export async function accept(page: Page, link: string, password: string): Promise<void> {
  await open(page, link);
  await page.getByLabel("New password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Accept and sign in" }).click();
  await expect(page).toHaveURL("/");
  await hydrated(page);
}

export async function fillAgent(page: Page, name: string, model: string): Promise<void> {
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Instructions", { exact: true }).fill("Answer briefly.");
  // The section around it has the same name.
  await page.locator("input").and(page.getByLabel("Model", { exact: true })).fill(model);
}

/** Where a message is written. */
export function composer(page: Page): Locator {
  return page.getByRole("textbox", { name: /^Message/ });
}

export async function ask(page: Page, text: string): Promise<void> {
  await composer(page).fill(text);
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await expect(page.getByRole("article", { name: /^You/ }).last()).toContainText(text);
}

/** What a person asked. */
export function question(page: Page, text: string): Locator {
  return page.getByRole("article", { name: "You" }).filter({ hasText: text });
}

/** The text of the agent's latest answer. */
export function answerOf(page: Page, agentName: string): Locator {
  return page.getByRole("article", { name: agentName }).last().locator(".markdown");
}

export function stopButton(page: Page): Locator {
  return page.getByRole("button", { name: "Stop" });
}
