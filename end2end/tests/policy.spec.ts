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
    const refusals = new Set<string>();
    const bothRefused = new Promise<void>((resolve) => {
      document.addEventListener("securitypolicyviolation", (event) => {
        refusals.add(event.effectiveDirective);
        if (refusals.size === 2) resolve();
      });
    });
    const image = await new Promise<string>((resolve) => {
      const planted = new Image();
      planted.onload = () => resolve("loaded");
      planted.onerror = () => resolve("refused");
      planted.src = "http://127.0.0.1:9/beacon.png";
    });
    const sent = await fetch("http://127.0.0.1:9/collect", { method: "POST", mode: "no-cors" }).then(
      () => "sent",
      () => "refused",
    );
    // The browser tells of a refusal in a task of its own, before or after the request has failed.
    await bothRefused;
    return { image, sent, refusals: [...refusals].sort() };
  });

  expect(outcome).toEqual({ image: "refused", sent: "refused", refusals: ["connect-src", "img-src"] });
});

test("text that becomes a script is reported", async ({ page }) => {
  const reported = await page.evaluate(
    () =>
      new Promise<string[]>((resolve) => {
        document.addEventListener("securitypolicyviolation", (event) =>
          resolve([event.effectiveDirective, event.disposition]),
        );
        document.createElement("script").text = "1";
      }),
  );

  expect(reported).toEqual(["require-trusted-types-for", "report"]);
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
