// The product as a client of the conformance suite's servers: adds the server whose address comes
// last, signs in if that is asked for, and calls each of its tools.
const url = process.argv.at(-1);
const { ORIGIN, KEY, COOKIE, BEGIN } = process.env;

async function api(method, path, body) {
  const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };
  const answer = await fetch(`${ORIGIN}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  return answer.status === 204 ? null : answer.json();
}

async function signIn(id) {
  const headers = {
    origin: ORIGIN,
    cookie: COOKIE,
    accept: "application/json",
    "content-type": "application/x-www-form-urlencoded",
  };
  const begun = await fetch(ORIGIN + BEGIN, { method: "POST", redirect: "manual", headers, body: `id=${id}` });
  const there = begun.headers.get("location");
  if (!there) throw new Error(`no sign-in: ${await begun.text()}`);
  // The authorization server agrees at once.
  const agreed = await fetch(there, { redirect: "manual" });
  const back = agreed.headers.get("location");
  await fetch(back, { redirect: "manual", headers: { cookie: COOKIE } });
}

/** Arguments that a schema lets through. */
function argumentsOf(schema) {
  const value = ({ type, enum: choices, default: usual }) =>
    usual ?? choices?.[0] ?? { number: 5, integer: 5, boolean: true, array: [], object: {} }[type] ?? "text";
  const entries = Object.entries(schema.properties ?? {});
  return Object.fromEntries(entries.map(([name, property]) => [name, value(property)]));
}

/** What a form leaves to whoever fills it in: the product has to know the rest. */
function withoutDefaults({ properties = {} }) {
  const open = Object.entries(properties).filter(([, property]) => property.default === undefined);
  return { properties: Object.fromEntries(open) };
}

/** What a person might answer. */
function respond({ method, params }) {
  switch (method) {
    case "elicitation/create":
      return { action: "accept", content: argumentsOf(withoutDefaults(params.requestedSchema ?? {})) };
    case "sampling/createMessage":
      return { role: "assistant", model: "none", content: { type: "text", text: "fine" } };
    default:
      return { roots: [] };
  }
}

/** Calls a tool, and answers what it asks back. */
async function call(server, name, values) {
  let round = {};
  for (let rounds = 0; rounds < 5; rounds += 1) {
    const { result } = await send(server, { name, arguments: values, ...round });
    if (result?.resultType !== "input_required") return;
    const questions = Object.entries(result.inputRequests ?? {});
    const answers = questions.map(([key, question]) => [key, respond(question)]);
    round = {};
    if (answers.length > 0) round.inputResponses = Object.fromEntries(answers);
    if (result.requestState !== undefined) round.requestState = result.requestState;
  }
}

async function send(server, params) {
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": { elicitation: {}, sampling: {}, roots: {} },
  };
  const answer = await fetch(`${ORIGIN}/mcp/${server}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${KEY}`,
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": params.name,
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { ...params, _meta } }),
  });
  const text = await answer.text();
  console.log(params.name, text);
  // One answer, or a stream that ends with it.
  const frames = text.split("\n").filter((line) => line.startsWith("data: "));
  return JSON.parse(frames.at(-1)?.slice(6) ?? text);
}

const name = `s${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`;
// What has no value is left out.
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? "{}", (_, value) => value ?? undefined);
const known = { id: context.client_id, secret: context.client_secret };
const sign_in_client = process.env.MCP_CONFORMANCE_SCENARIO === "auth/pre-registration" ? known : undefined;
let server = await api("POST", "/mcp-servers", { name, source: { type: "remote", url, sign_in_client } });
for (let attempt = 0; attempt < 3 && server.state === "sign_in_needed"; attempt += 1) {
  await signIn(server.id);
  server = await api("GET", `/mcp-servers/${server.id}`);
  console.log(server.state, server.reason ?? "");
}
const { items } = await api("GET", `/mcp-servers/${server.id}/tools?limit=100`);
const wanted = context.toolCalls;
const calls = wanted ?? items.map((tool) => ({ name: tool.name, arguments: argumentsOf(tool.input_schema) }));
for (const tool of calls) {
  await call(name, tool.name, tool.arguments);
  // It may want more rights than it was given.
  for (let attempt = 0; attempt < 3; attempt += 1) {
    server = await api("GET", `/mcp-servers/${server.id}`);
    if (server.state !== "sign_in_needed") break;
    console.log(server.state, server.reason ?? "");
    await signIn(server.id);
    await call(name, tool.name, tool.arguments);
  }
}
await api("DELETE", `/mcp-servers/${server.id}`);
