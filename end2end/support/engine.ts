// A Docker engine of the tests' own, on a private socket, with one image: the tool server of the Rust
// tests. It ends with the process that started it.
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

export const IMAGE = "agentarea-test/tool-server:1";
const PROGRAM = resolve(import.meta.dirname, "../../crates/testkit/programs/tool_server.rs");
const START_TIMEOUT_MS = 60_000;

/** Ends the engine, its containers and what they had mounted when its input ends, however that comes. */
const WATCHDOG = `
dir=$1
dockerd -H "unix://$dir/docker.sock" --data-root "$dir/data" --exec-root "$dir/exec" \
  --pidfile "$dir/pid" --bridge none --iptables=false --ip6tables=false \
  --shutdown-timeout 2 --log-level warn >>"$dir/log" 2>&1 &
engine=$!
cat >/dev/null
kill -TERM "$engine" 2>/dev/null
wait "$engine"
awk -v dir="$dir/" 'index($2, dir) == 1 { print $2 }' /proc/self/mounts | sort -r |
  while read -r mount; do umount -l "$mount"; done
rm -rf "$dir"
`;

export class Engine {
  private constructor(
    private readonly folder: string,
    private readonly watchdog: ChildProcess,
  ) {}

  /** Why there can be no engine here; nothing if there can. */
  static missing(): string | undefined {
    if (process.getuid?.() !== 0) return "a container engine needs root";
    for (const program of ["dockerd", "rustc"]) {
      try {
        execFileSync("/bin/sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
      } catch {
        return `${program} is not installed`;
      }
    }
    return undefined;
  }

  static async start(): Promise<Engine> {
    const folder = mkdtempSync(join(tmpdir(), "aa-e2e-engine-"));
    const watchdog = spawn("/bin/sh", ["-c", WATCHDOG, "watchdog", folder], {
      cwd: "/",
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    const engine = new Engine(folder, watchdog);
    const deadline = Date.now() + START_TIMEOUT_MS;
    while ((await engine.call("GET", "/_ping").catch(() => 0)) !== 200) {
      if (Date.now() > deadline) throw new Error(`the engine does not answer:\n${engine.log()}`);
      await wait(100);
    }
    await engine.importToolServer();
    return engine;
  }

  get address(): string {
    return `unix://${join(this.folder, "docker.sock")}`;
  }

  /** How many containers there are, running or not. */
  async countContainers(): Promise<number> {
    let text = "";
    await this.call("GET", "/containers/json?all=1", undefined, (part) => (text += part));
    return JSON.parse(text).length;
  }

  async stop(): Promise<void> {
    const gone = new Promise((done) => this.watchdog.once("exit", done));
    this.watchdog.stdin?.end();
    await gone;
  }

  private async importToolServer(): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), "aa-e2e-image-"));
    try {
      const root = join(folder, "root");
      const program = join(folder, "tool_server");
      mkdirSync(root);
      const flags = ["--edition=2024", "-Copt-level=1", "-Cpanic=abort", "-Ctarget-feature=+crt-static"];
      execFileSync("rustc", [...flags, "-o", program, PROGRAM], { stdio: "pipe" });
      copyFileSync(program, join(root, "tool-server"));
      execFileSync("tar", ["-C", root, "-cf", join(folder, "root.tar"), "."]);
      const changes = encodeURIComponent('ENTRYPOINT ["/tool-server"]');
      const path = `/images/create?fromSrc=-&repo=${encodeURIComponent(IMAGE)}&changes=${changes}`;
      const status = await this.call("POST", path, readFileSync(join(folder, "root.tar")));
      if (status !== 200) throw new Error(`the image could not be imported (HTTP ${status})`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  private call(method: string, path: string, body?: Buffer, hear: (part: string) => void = () => {}): Promise<number> {
    return new Promise((done, fail) => {
      const headers = { "content-type": "application/x-tar", "content-length": body?.length ?? 0 };
      const call = request({ socketPath: join(this.folder, "docker.sock"), method, path, headers }, (answer) => {
        answer.setEncoding("utf8");
        answer.on("data", hear);
        answer.on("end", () => done(answer.statusCode ?? 0));
      });
      call.on("error", fail);
      call.end(body);
    });
  }

  private log(): string {
    const path = join(this.folder, "log");
    return existsSync(path) ? readFileSync(path, "utf8").slice(-4_000) : "(no log)";
  }
}
