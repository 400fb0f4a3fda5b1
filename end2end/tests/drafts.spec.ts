import { answerOf, ask, fillSignIn, open } from "../support/pages";
import { createScriptedAgent, setUp } from "../support/people";
import { SCRIPT_OFF } from "../support/problems";
import { expect, test } from "../support/fixtures";

test("a draft is tried, published, and another one let go", async ({ page, api, model }) => {
  const agent = await createScriptedAgent(api, model, "Cartographer");
  const path = `/agents/${agent.id}`;
  await open(page, path);
  const instructions = page.getByLabel("Instructions", { exact: true });
  const versions = page.getByRole("region", { name: "Versions" }).getByRole("listitem");
  const live = await instructions.inputValue();

  await instructions.fill("Answer in French.");
  await page.getByRole("button", { name: "Save draft" }).click();

  await expect(page.getByText("This is a draft, version 2.")).toBeVisible();
  await expect(page.getByText("Conversations use version 1 until it is published.")).toBeVisible();
  await expect(versions.nth(0)).toContainText("Draft");
  await expect(versions.nth(1)).toContainText("Live");
  await expect(instructions).toHaveValue("Answer in French.");

  await page.getByRole("button", { name: "Try draft" }).click();
  await expect(page).toHaveURL(/\/conversations\/.+/);
  await expect(page.getByText("tries its draft")).toBeVisible();
  model.next({ chunks: ["Bonjour."] });
  await ask(page, "Hello");
  await expect(answerOf(page, agent.name)).toHaveText("Bonjour.");
  expect(JSON.stringify(model.requests.at(-1))).toContain("Answer in French.");

  await open(page, path);
  await page.getByRole("button", { name: "Publish" }).click();
  await expect(page.getByText("Version 2 is live").first()).toBeVisible();
  await expect(page.getByText("This is a draft")).toBeHidden();
  await expect(versions).toHaveCount(2);
  await expect(versions.nth(0)).toContainText("Live");

  await instructions.fill("Answer in Dutch.");
  await page.getByRole("button", { name: "Save draft" }).click();
  await expect(page.getByText("This is a draft, version 3.")).toBeVisible();
  await page.getByRole("link", { name: "What each version changed" }).click();
  await expect(page.getByRole("region", { name: "Version 3" })).toContainText("Draft");
  await expect(page.getByRole("region", { name: "Version 2" })).toContainText("Live");
  await open(page, path);
  await page.getByRole("button", { name: "Discard draft" }).click();

  await expect(page.getByText("This is a draft")).toBeHidden();
  await expect(instructions).toHaveValue("Answer in French.");
  expect(live).not.toBe("Answer in French.");
});

test.describe("without JavaScript", () => {
  test.use({ serverKind: "fresh", javaScriptEnabled: false });
  test.beforeEach(({ problems }) => problems.allow(SCRIPT_OFF));

  test("a draft is saved, tried and published", async ({ page, api, model }) => {
    await setUp(api);
    const agent = await createScriptedAgent(api, model, "Cartographer");
    await page.goto("/sign-in");
    await fillSignIn(page);
    await page.goto(`/agents/${agent.id}`);

    await page.getByLabel("Instructions", { exact: true }).fill("Answer in French.");
    await page.getByRole("button", { name: "Save draft" }).click();
    await expect(page.getByText("This is a draft, version 2.")).toBeVisible();
    await page.getByRole("button", { name: "Try draft" }).click();
    await expect(page.getByText("tries its draft")).toBeVisible();
    await page.goto(`/agents/${agent.id}`);
    await page.getByRole("button", { name: "Publish" }).click();
    await expect(page.getByText("Version 2 is live")).toBeVisible();
    await expect(page.getByText("This is a draft")).toBeHidden();
  });
});
