// What every form promises, shown on the one that makes an agent.
import { fillAgent, open } from "../support/pages";
import { LOCAL_MODEL } from "../support/people";
import { expect, test } from "../support/fixtures";

test("a form sent twice while its answer is on the way makes one thing", async ({ page }) => {
  const sent: string[] = [];
  let answer = (): void => undefined;
  const isAnswered = new Promise<void>((resolve) => (answer = resolve));
  await page.route("**/api/create_agent*", async (route) => {
    sent.push(route.request().url());
    await isAnswered;
    await route.continue();
  });
  await open(page, "/agents/new");
  await fillAgent(page, "Made Once", LOCAL_MODEL);

  await page.locator("form", { has: page.getByLabel("Name", { exact: true }) }).evaluate((form: HTMLFormElement) => {
    form.requestSubmit();
    form.requestSubmit();
  });
  answer();

  await expect(page.getByRole("heading", { level: 1, name: "Made Once" })).toBeVisible();
  expect(sent).toHaveLength(1);
});

test("a form that cannot be read says so", async ({ page }) => {
  await open(page, "/agents/new");
  await fillAgent(page, "Never Made", LOCAL_MODEL);
  await page.evaluate(() => {
    Object.assign(window, {
      FormData: function FormData() {
        throw new Error("unreadable");
      },
    });
  });

  await page.getByRole("button", { name: "Create agent" }).click();

  await expect(page.getByText("The form cannot be read; load the page again.")).toBeVisible();
  await expect(page.getByLabel("Name", { exact: true })).toHaveValue("Never Made");
});
