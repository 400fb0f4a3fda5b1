// Opens a session, calls a tool in it and closes it, so many times, eight at once:
// node cycles.mjs URL KEY TOOL COUNT
const [url, key, tool, count] = process.argv.slice(2);

const headers = {
  authorization: `Bearer ${key}`,
  accept: "application/json, text/event-stream",
  "content-type": "application/json",
};

async function send(session, message, method = "POST") {
  const more = session ? { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" } : {};
  const body = message && JSON.stringify({ jsonrpc: "2.0", ...message });
  const answer = await fetch(url, { method, headers: { ...headers, ...more }, body });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`HTTP ${answer.status}: ${text}`);
  return { answer, text };
}

async function cycle() {
  const clientInfo = { name: "cycles", version: "1" };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
  const { answer } = await send(undefined, { id: 1, method: "initialize", params });
  const session = answer.headers.get("mcp-session-id");
  await send(session, { method: "notifications/initialized" });
  const call = { name: tool, arguments: { text: "measure" } };
  const { text } = await send(session, { id: 2, method: "tools/call", params: call });
  if (!text.includes("measure")) throw new Error(`no answer of the tool: ${text}`);
  if (session) await send(session, undefined, "DELETE");
  return Boolean(session);
}

let left = Number(count);
let withSession = 0;
const times = [];
const begun = performance.now();
await Promise.all(
  Array.from({ length: 8 }, async () => {
    while (left > 0) {
      left -= 1;
      const at = performance.now();
      const hadSession = await cycle();
      withSession += hadSession ? 1 : 0;
      times.push(performance.now() - at);
    }
  }),
);
times.sort((one, other) => one - other);
const at = (part) => Number(times[Math.floor((times.length - 1) * part)].toFixed(2));
const seconds = Number(((performance.now() - begun) / 1000).toFixed(1));
console.log(JSON.stringify({ label: "connect, call, disconnect", cycles: times.length, with_session: withSession,
  seconds, ms: { p50: at(0.5), p99: at(0.99), max: at(1) } }));
