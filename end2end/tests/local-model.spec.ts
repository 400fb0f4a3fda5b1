import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { answerOf, ask, open, stopButton } from "../support/pages";
import { createLocalAgent, startConversation } from "../support/people";
import { expect, test } from "../support/fixtures";

const WEIGHTS = join(homedir(), ".cache/agentarea/models");

test("the built-in model answers without any key", async ({ page, api }) => {
  test.skip(!existsSync(WEIGHTS) || readdirSync(WEIGHTS).length === 0, `no weights in ${WEIGHTS}`);
  test.setTimeout(260_000);
  const agent = await createLocalAgent(api, "Pocket Helper");
  await open(page, await startConversation(api, agent));

  await ask(page, "What is the capital of France?");

  await expect(answerOf(page, agent.name)).toHaveText(/\p{L}{2,}/u, { timeout: 120_000 });
  await expect(stopButton(page)).toBeHidden({ timeout: 120_000 });
});
