// Everything a browser complains about; a test fails on what it did not expect.
import type { BrowserContext } from "@playwright/test";

export class Problems {
  private readonly found: string[] = [];
  private readonly allowed: RegExp[] = [];

  private constructor(private readonly origin: string) {}

  static async watch(context: BrowserContext, origin: string): Promise<Problems> {
    const problems = new Problems(origin);
    context.on("console", (message) => {
      if (message.type() === "error") {
        problems.note(`console: ${message.text()} (${message.location().url})`);
      }
    });
    context.on("weberror", (error) => problems.note(`page error: ${error.error().message}`));
    context.on("response", (response) => {
      if (problems.isOurs(response.url()) && response.status() >= 400) {
        problems.note(`answer: ${response.status()} ${response.request().method()} ${response.url()}`);
      }
    });
    context.on("requestfailed", (request) => {
      const reason = request.failure()?.errorText ?? "";
      // Leaving a page aborts what it was loading.
      if (problems.isOurs(request.url()) && reason !== "net::ERR_ABORTED") {
        problems.note(`request: ${reason} ${request.url()}`);
      }
    });
    context.on("request", (request) => {
      const url = request.url();
      if (!problems.isOurs(url) && /^https?:/.test(url)) problems.note(`foreign request: ${url}`);
    });
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        console.error(`CSP: ${event.violatedDirective} blocked ${event.blockedURI || event.sample}`);
      });
    });
    return problems;
  }

  /** Expects problems that match, wherever in the test they happen. */
  allow(...patterns: RegExp[]): void {
    this.allowed.push(...patterns);
  }

  unexpected(): string[] {
    return this.found.filter((problem) => !this.allowed.some((pattern) => pattern.test(problem)));
  }

  private note(problem: string): void {
    this.found.push(problem);
  }

  private isOurs(url: string): boolean {
    return url.startsWith(`${this.origin}/`);
  }
}

/** What the browser says when a server function refuses: its status, and the console line of it. */
export function refusal(serverFunction: string): RegExp[] {
  const url = `https?://[^/]+/api/${serverFunction}\\d+`;
  return [
    new RegExp(`^answer: [45]\\d\\d POST ${url}$`),
    new RegExp(`^console: Failed to load resource: the server responded with a status of [45]\\d\\d \\(.*\\) \\(${url}\\)$`),
  ];
}

/** What the browser says when a page of ours answers with a failure. */
export function failedPage(path: string, status: number): RegExp[] {
  const url = `https?://[^/]+${path}`;
  return [
    new RegExp(`^answer: ${status} GET ${url}$`),
    new RegExp(`^console: Failed to load resource: the server responded with a status of ${status} \\(.*\\) \\(${url}\\)$`),
  ];
}

/** Without JavaScript, Chromium reports the preloads of our scripts as blocked by its own policy. */
export const SCRIPT_OFF = /^request: csp https?:\/\/[^/]+\/pkg\/[0-9a-f]+\/\w+\.js$/;

/** What a broken line looks like in the browser. */
export const LINE_BROKEN =
  /net::ERR_(INTERNET_DISCONNECTED|CONNECTION_(RESET|REFUSED|CLOSED)|EMPTY_RESPONSE|NETWORK_CHANGED|INCOMPLETE_CHUNKED_ENCODING|SOCKET_NOT_CONNECTED)/;
