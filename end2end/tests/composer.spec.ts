// Where messages are written: drafts, files, keys.
import type { Locator, Page } from "@playwright/test";
import { answerOf, ask, composer, open, question, reload } from "../support/pages";
import { startConversation } from "../support/people";
import { expect, test } from "../support/fixtures";

/** A picture of one pixel, as base64. */
const PICTURE =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/** The files of the message that is being written. */
function attached(page: Page): Locator {
  return page.getByRole("list", { name: "Files of this message" }).getByRole("listitem");
}

/** Attaches a text and waits until it is there. */
async function attach(page: Page, name: string): Promise<void> {
  const buffer = Buffer.from(`This is ${name}.`);
  await page.getByLabel("Attach files").setInputFiles({ name, mimeType: "text/plain", buffer });
  await expect(attached(page)).toHaveText([new RegExp(name)]);
  await expect(attached(page).getByRole("status")).toHaveCount(0);
}

/** Pastes texts by their type, and a picture; answers whether the browser is left to insert them. */
function paste(page: Page, texts: Record<string, string>): Promise<boolean> {
  return composer(page).evaluate(
    (field, { texts, picture }) => {
      const clipboardData = new DataTransfer();
      for (const [type, text] of Object.entries(texts)) clipboardData.setData(type, text);
      const bytes = Uint8Array.from(atob(picture), (char) => char.charCodeAt(0));
      clipboardData.items.add(new File([bytes], "picture.png", { type: "image/png" }));
      return field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    },
    { texts, picture: PICTURE },
  );
}

test("a draft stays with its conversation until it is sent", async ({ page, api, agent, model }) => {
  model.next({ chunks: ["noted"] });
  const [first, second] = [await startConversation(api, agent), await startConversation(api, agent)];
  const list = page.getByRole("navigation", { name: "Conversations" });
  const choose = (path: string): Promise<void> => list.locator(`a[href="${path}"]`).click();
  await open(page, first);
  await composer(page).fill("for the first");

  await choose(second);
  await expect(page).toHaveURL(second);
  await expect(composer(page)).toHaveValue("");
  await composer(page).fill("for the second");
  await choose(first);
  await expect(composer(page)).toHaveValue("for the first");
  await composer(page).press("Enter");
  await expect(answerOf(page, agent.name)).toHaveText("noted");

  await reload(page);
  // What was kept is there by the time that the field has the focus.
  await expect(composer(page)).toBeFocused();
  await expect(composer(page)).toHaveValue("");
  await choose(second);
  await expect(composer(page)).toHaveValue("for the second");
});

test("a message that could not be sent is in the field, also after a reload", async ({
  page,
  api,
  agent,
  model,
  problems,
}) => {
  problems.allow(/status of 503/, /answer: 503/);
  model.next({ chunks: ["noted"] });
  await open(page, await startConversation(api, agent));
  await page.route(/\/api\/post_message/, (route) => route.fulfill({ status: 503 }));

  await composer(page).fill("How was last week?");
  await composer(page).press("Enter");
  await expect(page.getByRole("form", { name: "Message" }).getByRole("alert")).toBeVisible();
  await expect(composer(page)).toHaveValue("How was last week?");
  await page.unroute(/\/api\/post_message/);
  await reload(page);

  await expect(composer(page)).toBeFocused();
  await expect(composer(page)).toHaveValue("How was last week?");
  await composer(page).press("Enter");
  await expect(answerOf(page, agent.name)).toHaveText("noted");
});

test("a page that is left while a message is on its way loses it only if it arrived", async ({
  page,
  api,
  agent,
  model,
  problems,
}) => {
  problems.allow(/ERR_FAILED/);
  model.next({ chunks: ["noted"] });
  model.next({ chunks: ["noted again"] });
  await open(page, await startConversation(api, agent));
  const posts = /\/api\/post_message/;
  const send = async (text: string): Promise<void> => {
    const sent = page.waitForRequest(posts);
    await composer(page).fill(text);
    await composer(page).press("Enter");
    await sent;
  };

  await page.route(posts, () => {});
  await send("How was last week?");
  await reload(page);
  await expect(composer(page)).toHaveValue("How was last week?");

  let arrived = (): void => {};
  const arrives = new Promise<void>((resolve) => (arrived = resolve));
  await page.unroute(posts);
  await page.route(posts, async (route) => {
    await route.fetch();
    arrived();
  });
  await send("How was last week?");
  await arrives;
  await reload(page);
  await expect(answerOf(page, agent.name)).toHaveText("noted");
  await expect(composer(page)).toHaveValue("");

  // The answer gets lost while the page is still there.
  await page.unroute(posts);
  await page.route(posts, async (route) => {
    await route.fetch();
    await route.abort();
  });
  await send("And before?");
  await expect(composer(page)).toHaveValue("And before?");
  await reload(page);
  await expect(answerOf(page, agent.name)).toHaveText("noted again");
  await expect(composer(page)).toHaveValue("");
});

test("an edit that was sent leaves the draft", async ({ page, api, agent, model }) => {
  model.next({ chunks: ["noted"] });
  model.next({ chunks: ["noted again"] });
  await open(page, await startConversation(api, agent));
  await ask(page, "What was late?");
  await expect(answerOf(page, agent.name)).toHaveText("noted");
  await composer(page).fill("a draft");

  await question(page, "late").getByRole("link", { name: "Edit" }).click();
  await expect(composer(page)).toHaveValue("What was late?");
  await ask(page, "What was early?");

  await expect(answerOf(page, agent.name)).toHaveText("noted again");
  await expect(composer(page)).toHaveValue("a draft");
});

test("whoever does not edit a message after all has their own draft and files back", async ({
  page,
  api,
  agent,
  model,
}) => {
  model.next({ chunks: ["noted"] });
  await open(page, await startConversation(api, agent));
  await attach(page, "orders.txt");
  await ask(page, "What was late?");
  await expect(answerOf(page, agent.name)).toHaveText("noted");
  await expect(attached(page)).toHaveCount(0);
  const edit = question(page, "late").getByRole("link", { name: "Edit" });
  const cancel = page.getByRole("link", { name: "Cancel" });
  await composer(page).fill("a draft");

  await edit.click();
  await expect(composer(page)).toHaveValue("What was late?");
  await expect(attached(page)).toHaveText([/orders\.txt/]);
  await cancel.click();
  await expect(composer(page)).toHaveValue("a draft");
  await expect(attached(page)).toHaveCount(0);

  await attach(page, "draft.txt");
  await edit.click();
  await expect(attached(page)).toHaveText([/orders\.txt/]);
  await cancel.click();
  await expect(composer(page)).toHaveValue("a draft");
  await expect(attached(page)).toHaveText([/draft\.txt/]);
});

test("Enter that chooses a character sends nothing", async ({ page, api, agent, model }) => {
  model.next({ chunks: ["hello"] });
  await open(page, await startConversation(api, agent));
  await composer(page).fill("日本");

  // Safari tells by the code alone.
  for (const sign of [{ isComposing: true }, { keyCode: 229 }]) {
    const isLeft = await composer(page).evaluate((field, sign) => {
      const enter = { key: "Enter", bubbles: true, cancelable: true, ...sign };
      return field.dispatchEvent(new KeyboardEvent("keydown", enter));
    }, sign);
    expect(isLeft, JSON.stringify(sign)).toBe(true);
    await expect(composer(page)).toHaveValue("日本");
  }

  await composer(page).press("Enter");
  await expect(answerOf(page, agent.name)).toHaveText("hello");
  await expect(page.getByRole("article", { name: "You" })).toHaveCount(1);
});

test("a picture is attached when it is pasted alone, not beside text", async ({ page, api, agent }) => {
  await open(page, await startConversation(api, agent));

  // As office programs do.
  const isLeft = await paste(page, { "text/plain": "Total", "text/html": "<table><tr><td>Total</td></tr></table>" });
  expect(isLeft, "the text is inserted").toBe(true);
  await expect(attached(page)).toHaveCount(0);
  expect(await paste(page, {})).toBe(false);

  await expect(attached(page)).toHaveText([/picture\.png/]);
  await expect(attached(page).getByRole("status")).toHaveCount(0);
  await expect(attached(page).getByRole("alert")).toHaveCount(0);
});

test("files are attached wherever on the thread they are dropped", async ({ page, api, agent, model }) => {
  model.next({ chunks: ["hello"] });
  await open(page, await startConversation(api, agent));
  await ask(page, "Hello?");
  await expect(answerOf(page, agent.name)).toHaveText("hello");

  const isLeft = await page.getByRole("log").evaluate((log) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(["some notes"], "notes.txt", { type: "text/plain" }));
    return log.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
  });

  expect(isLeft, "the browser does not open the file").toBe(false);
  await expect(attached(page)).toHaveText([/notes\.txt/]);
  await expect(attached(page).getByRole("alert")).toHaveCount(0);
});

test.describe("on a touch screen", () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

  test("Enter makes a new line, and the button sends", async ({ page, api, agent, model }) => {
    model.next({ chunks: ["hello"] });
    await open(page, await startConversation(api, agent));

    await composer(page).fill("one");
    await composer(page).press("Enter");
    await composer(page).pressSequentially("two");
    await expect(composer(page)).toHaveValue("one\ntwo");
    await page.getByRole("button", { name: "Send", exact: true }).tap();

    await expect(answerOf(page, agent.name)).toHaveText("hello");
    await expect(page.getByRole("article", { name: "You" })).toHaveCount(1);
    expect(await question(page, "one").locator(".bubble").innerText()).toBe("one\ntwo");
  });
});
