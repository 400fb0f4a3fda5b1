// Starts a tool server so many times by the platform, stopped in between, and as often by `docker
// run`, by turns; both until its tools are listed: node cold-start.mjs SERVER_URL KEY IMAGE COUNT
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const [server, key, image, count] = process.argv.slice(2);

async function post(path) {
  const answer = await fetch(`${server}/${path}`, { method: "POST", headers: { authorization: `Bearer ${key}` } });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}: ${await answer.text()}`);
  return answer.json();
}

async function byPlatform() {
  const { state: before } = await post("stop");
  if (before !== "stopped") throw new Error(`it is ${before}`);
  const begun = performance.now();
  const { state, reason } = await post("restart");
  const took = performance.now() - begun;
  if (state !== "ready") throw new Error(`it is ${state}: ${reason}`);
  return took;
}

async function byDocker() {
  const limits = ["--network", "none", "--read-only", "--cap-drop", "ALL", "--memory", "512m", "--pids-limit", "128"];
  const begun = performance.now();
  const child = spawn("docker", ["run", "-i", "--rm", "--log-driver", "none", ...limits, image], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (id, method, params) => {
    child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    const { value } = await lines.next();
    if (!value?.includes('"result"')) throw new Error(`no answer to ${method}: ${value}`);
  };
  const clientInfo = { name: "cold-start", version: "1" };
  await ask(1, "initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo });
  await ask(2, "tools/list", {});
  const took = performance.now() - begun;
  const gone = new Promise((done) => child.once("exit", done));
  child.stdin.end();
  await gone;
  return took;
}

const ways = { agentarea: [byPlatform, []], docker_run: [byDocker, []] };
for (let round = 0; round < Number(count); round += 1) {
  for (const [start, times] of Object.values(ways)) {
    times.push(await start());
    // What goes on behind a start, and the end of the one before, are not part of the next.
    await new Promise((done) => setTimeout(done, 1000));
  }
}
const median = {};
for (const [name, [, times]] of Object.entries(ways)) {
  times.sort((one, other) => one - other);
  const at = (part) => Math.round(times[Math.floor((times.length - 1) * part)]);
  median[name] = at(0.5);
  console.log(JSON.stringify({ label: `cold start, ${name}`, starts: times.length, ms: { p50: at(0.5), p99: at(0.99) } }));
}
console.log(`the platform takes ${median.agentarea - median.docker_run} ms more than docker run (median)`);
