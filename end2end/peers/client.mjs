// The official TypeScript client: lists the tools at an address and calls one.
// node client.mjs URL KEY TOOL ARGUMENTS
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [url, key, tool, text] = process.argv.slice(2);
const headers = { authorization: `Bearer ${key}` };
const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
const client = new Client({ name: "peer", version: "1.0.0" });
await client.connect(transport);
const { tools } = await client.listTools();
const result = await client.callTool({ name: tool, arguments: JSON.parse(text) });
console.log(JSON.stringify({ tools: tools.map((tool) => tool.name), result }));
await client.close();
