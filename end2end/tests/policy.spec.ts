// What the browser itself refuses, whatever found its way into a page.
import { open } from "../support/pages";
import { expect, test } from "../support/fixtures";

test.beforeEach(async ({ page, problems }) => {
  problems.allow(/CSP|Content Security Policy|foreign request|frame-ancestors|ERR_BLOCKED/i);
  await open(page, "/");
});

test("planted scripts do not run", async ({ page }) => {
  const ran = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.planted = 'script'";
    document.body.append(script);
    const button = document.createElement("button");
    button.setAttribute("onclick", "window.planted = 'attribute'");
    document.body.append(button);
    button.click();
    return (window as { planted?: string }).planted ?? "nothing";
  });

  expect(ran).toBe("nothing");
});

test("nothing is loaded from or sent to elsewhere", async ({ page }) => {
  const outcome = await page.evaluate(async () => {
    const image = await new Promise<string>((resolve) => {
      const planted = new Image();
      planted.onload = () => resolve("loaded");
      planted.onerror = () => resolve("refused");
      planted.src = "http://127.0.0.1:9/beacon.png";
    });
    const refusals: string[] = [];
    document.addEventListener("securitypolicyviolation", (event) => refusals.push(event.effectiveDirective));
    const sent = await fetch("http://127.0.0.1:9/collect", { method: "POST", mode: "no-cors" }).then(
      () => "sent",
      () => "refused",
    );
    return { image, sent, refusals };
  });

  expect(outcome).toEqual({ image: "refused", sent: "refused", refusals: ["connect-src"] });
});

test("no page is framed", async ({ page }) => {
  const refused = await page.evaluate(
    () =>
      new Promise<string>((resolve) => {
        document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
        const frame = document.createElement("iframe");
        frame.src = "/sign-in";
        document.body.append(frame);
      }),
  );

  expect(refused).toBe("frame-src");
});
