// An OpenAI-compatible model server that says what a test wants, when it wants.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";

export const MODEL = "scripted-large";

export interface Answer {
  chunks: string[];
  /** What the model thinks before its first chunk. */
  reasoning?: string[];
  /** Tools to ask for after the chunks: name and arguments. */
  tools?: [name: string, args: object][];
  /** Time before each chunk. */
  paceMs?: number;
  /** Holds chunks and end back until the gate lets them go. */
  gate?: Gate;
  /** Refuses with this status instead. */
  status?: number;
}

/** The words `w0 ` to `w<count-1> `: a gap or repetition shows. */
export function words(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `w${i} `);
}

/** What a person reads of `words(count)`. */
export function wordsText(count: number): string {
  return words(count).join("").trim();
}

export class Gate {
  private permits = 0;
  private isOpen = false;
  private waiting: (() => void)[] = [];

  /** Lets `count` more chunks out; the end needs `finish`. */
  release(count: number): void {
    this.permits += count;
    this.wake();
  }

  /** Lets everything out, the end too. */
  finish(): void {
    this.isOpen = true;
    this.wake();
  }

  async passChunk(): Promise<void> {
    while (!this.isOpen && this.permits === 0) await this.change();
    if (!this.isOpen) this.permits -= 1;
  }

  async passEnd(): Promise<void> {
    while (!this.isOpen) await this.change();
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

export class ScriptedModel {
  private queue: Answer[] = [];
  /** Bodies of the completion requests, in order. */
  readonly requests: unknown[] = [];
  /** Requests being answered now. */
  openStreams = 0;

  private constructor(
    private readonly server: Server,
    private readonly port: number,
  ) {}

  static async start(): Promise<ScriptedModel> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const model = new ScriptedModel(server, (server.address() as AddressInfo).port);
    server.on("request", (request, response) => {
      model.handle(request, response).catch(() => response.destroy());
    });
    return model;
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${this.port}/v1`;
  }

  /** Queues an answer for one request; without one, the model says `ok`. */
  next(answer: Answer): void {
    this.queue.push(answer);
  }

  /** Queues an answer that waits for the gate. */
  hold(chunks: string[]): Gate {
    const gate = new Gate();
    this.next({ chunks, gate });
    return gate;
  }

  /** Forgets what is queued, so that one test cannot speak into the next. */
  reset(): void {
    this.queue = [];
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "";
    if (request.method === "GET" && path.endsWith("/models")) {
      const data = [MODEL, "scripted-small"].map((id) => ({ id, object: "model" }));
      sendJson(response, 200, { object: "list", data });
      return;
    }
    if (request.method !== "POST" || !path.endsWith("/chat/completions")) {
      sendJson(response, 404, { error: { message: "no such path" } });
      return;
    }
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    this.requests.push(JSON.parse(Buffer.concat(parts).toString("utf8")));
    const answer = this.queue.shift() ?? { chunks: ["ok"] };
    this.openStreams += 1;
    const hungUp = new Promise<"gone">((resolve) => response.once("close", () => resolve("gone")));
    try {
      await Promise.race([speak(response, answer), hungUp]);
    } finally {
      this.openStreams -= 1;
    }
  }
}

async function speak(response: ServerResponse, answer: Answer): Promise<void> {
  if (answer.status) {
    sendJson(response, answer.status, { error: { message: "scripted failure", type: "scripted" } });
    return;
  }
  response.socket?.setNoDelay(true);
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.flushHeaders();
  for (const reasoning_content of answer.reasoning ?? []) {
    await answer.gate?.passChunk();
    send(response, { choices: [{ index: 0, delta: { reasoning_content }, finish_reason: null }] });
  }
  for (const content of answer.chunks) {
    if (answer.paceMs) await wait(answer.paceMs);
    await answer.gate?.passChunk();
    if (response.destroyed) return;
    send(response, { choices: [{ index: 0, delta: { content }, finish_reason: null }] });
  }
  const calls = (answer.tools ?? []).map(([name, args], index) => ({
    index,
    id: `call_${index}`,
    type: "function",
    function: { name, arguments: JSON.stringify(args) },
  }));
  if (calls.length > 0) {
    send(response, { choices: [{ index: 0, delta: { tool_calls: calls }, finish_reason: null }] });
  }
  await answer.gate?.passEnd();
  const tokens = answer.chunks.length;
  const usage = { prompt_tokens: 10, completion_tokens: tokens, total_tokens: 10 + tokens };
  send(response, { choices: [{ index: 0, delta: {}, finish_reason: calls.length > 0 ? "tool_calls" : "stop" }] });
  send(response, { choices: [], usage });
  response.end("data: [DONE]\n\n");
}

function send(response: ServerResponse, data: object): void {
  const chunk = { id: "chatcmpl-scripted", object: "chat.completion.chunk", created: 1, model: MODEL, ...data };
  response.write(`data: ${JSON.stringify(chunk)}\n\n`);
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
