// What a browser reports of refusals reaches the server. It reports to https only.
import { chromium, type APIRequestContext } from "@playwright/test";
import { expect, test } from "../support/fixtures";
import { setUp } from "../support/people";
import { AgentArea } from "../support/server";

test("a refusal is reported to the server", async ({ launchOptions }) => {
  const server = await AgentArea.start("https");
  // By itself it collects reports for a minute.
  const args = [...(launchOptions.args ?? []), "--short-reporting-delay", "--ignore-certificate-errors"];
  const browser = await chromium.launch({ ...launchOptions, args });
  try {
    const context = await browser.newContext({
      baseURL: server.origin,
      ignoreHTTPSErrors: true,
      extraHTTPHeaders: { origin: server.origin },
    });
    await setUp(context.request);
    const page = await context.newPage();
    await page.goto("/");
    expect(await reports(context.request)).toBe(0);

    await page.evaluate(() => (document.createElement("script").text = "1"));

    await expect.poll(() => reports(context.request), { timeout: 30_000 }).toBe(1);
  } finally {
    await browser.close();
    await server.stop();
  }
});

async function reports(request: APIRequestContext): Promise<number> {
  const metrics = await (await request.get("/metrics")).text();
  const counts = metrics
    .split("\n")
    .filter((line) => line.startsWith("agentarea_policy_reports_total{"))
    .filter((line) => line.includes('"require-trusted-types-for"'))
    .map((line) => Number(line.slice(line.lastIndexOf(" "))));
  return counts.reduce((sum, count) => sum + count, 0);
}
