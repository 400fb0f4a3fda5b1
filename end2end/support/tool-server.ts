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
  /** Whether it wants people to sign in, at an authorization server that agrees at once. */
  isGuarded = false;

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
    return `${this.origin}/mcp`;
  }

  private get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.authorization = request.headers.authorization ?? "";
    let text = "";
    for await (const piece of request) text += piece;
    if (this.isGuarded && this.guard(request, response)) return;
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

  /** Plays the authorization server, and refuses tools to whoever has no token of it. */
  private guard(request: IncomingMessage, response: ServerResponse): boolean {
    const { origin } = this;
    const asked = new URL(request.url ?? "/", origin);
    const json = (body: unknown): boolean => {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
      return true;
    };
    switch (asked.pathname) {
      case "/.well-known/oauth-protected-resource/mcp":
        return json({ resource: this.url, authorization_servers: [origin] });
      case "/.well-known/oauth-authorization-server":
        return json({
          issuer: origin,
          authorization_endpoint: `${origin}/authorize`,
          token_endpoint: `${origin}/token`,
          registration_endpoint: `${origin}/register`,
          response_types_supported: ["code"],
          code_challenge_methods_supported: ["S256"],
        });
      case "/register":
        return json({ client_id: "the-client", redirect_uris: [] });
      case "/token":
        return json({ access_token: "opensesame", token_type: "Bearer", expires_in: 3600 });
      case "/authorize": {
        const back = new URL(asked.searchParams.get("redirect_uri") ?? "");
        back.searchParams.set("code", "a-code");
        back.searchParams.set("state", asked.searchParams.get("state") ?? "");
        response.writeHead(302, { location: back.href }).end();
        return true;
      }
    }
    if (this.authorization === "Bearer opensesame") return false;
    const metadata = `${origin}/.well-known/oauth-protected-resource/mcp`;
    response.writeHead(401, { "www-authenticate": `Bearer resource_metadata="${metadata}"` }).end();
    return true;
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
