import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { open, SETTINGS } from "../support/pages";
import { postMessage, runEnd, startConversation } from "../support/people";
import { expect, test } from "../support/fixtures";

const PAGES = ["/", "/conversations", "/agents", "/agents/new", "/agents/import", "/tools", "/tools/new", "/models", "/models/new", "/approvals", "/usage", "/runs", ...SETTINGS];

/** What hurts people: serious and critical findings, with the elements. */
async function barriers(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" | ")}`);
}

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    for (const path of PAGES) {
      test(`${path} has no barriers`, async ({ page, agent }) => {
        expect(agent.id).toBeTruthy();
        await open(page, path);
        await expect(page.getByRole("heading", { level: 1 }).first()).toBeAttached();
        expect(await barriers(page)).toEqual([]);
      });
    }

    test("agent, conversation and run have no barriers", async ({ page, api, agent, model }) => {
      model.next({ chunks: ["**Yes**, it ", "regressed:\n\n", "| a | b |\n|---|---|\n| 1 | 2 |\n\n", "`code`"] });
      const conversation = await startConversation(api, agent);
      const run = await postMessage(api, conversation, "Did it regress?");
      expect(await runEnd(api, run)).toBe("completed");

      for (const path of [`/agents/${agent.id}`, `/agents/${agent.id}/versions`, conversation, `/runs/${run}`]) {
        await open(page, path);
        await expect(page.getByRole("main")).toBeVisible();
        expect(await barriers(page), path).toEqual([]);
      }
    });

    test("the sign-in page has no barriers", async ({ browser, server }) => {
      const context = await browser.newContext({ baseURL: server.origin, colorScheme });
      const page = await context.newPage();
      await open(page, "/sign-in");
      expect(await barriers(page)).toEqual([]);
      await context.close();
    });
  });
}
