// Tests of tool servers in containers: a platform beside an engine of its own.
import type { Page } from "@playwright/test";
import { Engine } from "./engine";
import { test as base, expect } from "./fixtures";
import { open } from "./pages";
import { AgentArea } from "./server";

export { expect } from "./fixtures";

/** Until what happens on the server is on the page by itself. */
export const FOLLOWED_MS = 20_000;

/** Why no test can have an engine here; nothing if they can. */
export const MISSING = Engine.missing();
if (MISSING) console.log(`Tool servers in containers are not tested: ${MISSING}`);

export const test = base.extend<{}, { engine: Engine }>({
  engine: [
    async ({}, use) => {
      const engine = await Engine.start();
      await use(engine);
      await engine.stop();
    },
    { scope: "worker", timeout: 120_000 },
  ],
  sharedServer: [
    async ({ engine }, use) => {
      const server = await AgentArea.start("http", {
        DOCKER_HOST: engine.address,
        // Nobody is there: packages are refused at once.
        AGENTAREA_CONTAINERS__NODE_IMAGE: "localhost:1/nowhere/node:1",
        AGENTAREA_CONTAINERS__PYTHON_IMAGE: "localhost:1/nowhere/python:1",
      });
      await use(server);
      await server.stop();
    },
    { scope: "worker", timeout: 120_000 },
  ],
});

/** Calls a tool of the tests' server on its page; answers what it said. */
export async function tryTool(page: Page, id: string, tool: string, value: string): Promise<string> {
  await open(page, `/tools/${id}?tool=${tool}`);
  const trial = page.getByRole("region", { name: "Try a tool" });
  await trial.getByLabel("value").fill(value);
  await trial.getByRole("button", { name: "Run" }).click();
  await expect(trial.getByRole("status")).not.toBeEmpty();
  return trial.getByRole("status").innerText();
}
