// A tool server (Model Context Protocol, 2025-11-25) whose tools a test can change.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Tool {
  name: string;
  description: string;
  inputSchema: unknown;
  annotations?: unknown;
}

export const LOOK_UP: Tool = {
  name: "look_up",
  description: "Looks a word up",
  inputSchema: {
    type: "object",
    properties: {
      word: { type: "string", description: "The word" },
      limit: { type: "integer" },
      language: { type: "string", enum: ["en", "fr"] },
    },
    required: ["word"],
  },
  annotations: { readOnlyHint: true },
};

export class ToolServer {
  tools: Tool[] = [LOOK_UP];
  /** Value of the header `authorization` in the last request. */
  authorization = "";

  private constructor(private readonly server: Server) {}

  static async start(): Promise<ToolServer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const tools = new ToolServer(server);
    server.on("request", (request, response) => {
      tools.handle(request, response).catch(() => response.destroy());
    });
    return tools;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/mcp`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.authorization = request.headers.authorization ?? "";
    let text = "";
    for await (const piece of request) text += piece;
    if (request.method !== "POST") {
      response.writeHead(405).end();
      return;
    }
    const { id, method, params } = JSON.parse(text);
    if (id === undefined) {
      response.writeHead(202).end();
      return;
    }
    const result = this.answer(method, params);
    const outcome = result === undefined ? { error: { code: -32601, message: "unknown method" } } : { result };
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id, ...outcome }));
  }

  private answer(method: string, params: { arguments?: unknown }): unknown {
    switch (method) {
      case "initialize":
        return {
          protocolVersion: "2025-11-25",
          capabilities: { tools: {} },
          serverInfo: { name: "dictionary", title: "Dictionary", version: "1" },
        };
      case "tools/list":
        return { tools: this.tools };
      case "tools/call":
        return { content: [{ type: "text", text: `looked up ${JSON.stringify(params.arguments)}` }] };
      default:
        return undefined;
    }
  }
}
