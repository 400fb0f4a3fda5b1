// Starts, stops and kills the shipped binary, each with a data folder of its own.
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import { createWriteStream, mkdirSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Network, type Identity } from "./network";

const BINARY = resolve(process.env["AGENTAREA_BIN"] ?? join(import.meta.dirname, "../../target/release/agentarea"));
const START_TIMEOUT_MS = 90_000;
const STOP_TIMEOUT_MS = 20_000;

export class AgentArea {
  private child: ChildProcess | undefined;
  readonly network: Network;

  private constructor(
    private readonly folder: string,
    private readonly port: number,
    network: Network,
    readonly logPath: string,
    private readonly scheme: "http" | "https",
    private readonly settings: Record<string, string>,
  ) {
    this.network = network;
  }

  /** A running server on an empty data folder; with `https` behind a certificate nobody knows. */
  static async start(
    scheme: "http" | "https" = "http",
    settings: Record<string, string> = {},
  ): Promise<AgentArea> {
    const folder = await mkdtemp(join(tmpdir(), "agentarea-e2e-"));
    // The embedded database runs as another user when the tests run as root.
    await chmod(folder, 0o755);
    const logs = resolve(import.meta.dirname, "../test-results/logs");
    mkdirSync(logs, { recursive: true });
    const port = await freePort();
    const network = await Network.start(() => port, scheme === "https" ? identity(folder) : undefined);
    const server = new AgentArea(folder, port, network, join(logs, `${network.port}.log`), scheme, settings);
    await server.launch();
    return server;
  }

  /** What the browser sees: every connection goes over the line that can be cut. */
  get origin(): string {
    return `${this.scheme}://127.0.0.1:${this.network.port}`;
  }

  /** Ends as an operator would and starts again on the same data. */
  async restart(): Promise<void> {
    await this.terminate();
    await this.launch();
  }

  /** Dies as by a power cut; `launch` brings it back. */
  async kill9(): Promise<void> {
    const child = this.running();
    const gone = exited(child);
    child.kill("SIGKILL");
    await gone;
    this.child = undefined;
  }

  /** Starts the process on its data folder and waits until it is healthy. */
  async launch(): Promise<void> {
    const log = createWriteStream(this.logPath, { flags: "a" });
    const child = spawn(BINARY, ["serve"], { env: this.environment(), stdio: ["ignore", "pipe", "pipe"] });
    child.stdout?.pipe(log);
    child.stderr?.pipe(log);
    child.on("error", (error) => log.write(`${error}\n`));
    this.child = child;
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await this.isHealthy())) {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
        throw new Error(`${BINARY} ended while starting:\n${this.log()}`);
      }
      if (Date.now() > deadline) {
        throw new Error(`${BINARY} is not healthy after ${START_TIMEOUT_MS} ms:\n${this.log()}`);
      }
      await wait(50);
    }
  }

  /** Ends the process and removes its data. */
  async stop(): Promise<void> {
    try {
      if (this.child) await this.terminate();
    } finally {
      await this.network.close();
      await rm(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    }
  }

  log(): string {
    try {
      return readFileSync(this.logPath, "utf8").slice(-8_000);
    } catch {
      return "(no log)";
    }
  }

  private async terminate(): Promise<void> {
    const child = this.running();
    const gone = exited(child);
    child.kill("SIGTERM");
    const timeout = wait(STOP_TIMEOUT_MS, "late" as const, { ref: false });
    if ((await Promise.race([gone, timeout])) === "late") {
      child.kill("SIGKILL");
      await gone;
      throw new Error(`the server ignored SIGTERM for ${STOP_TIMEOUT_MS} ms:\n${this.log()}`);
    }
    this.child = undefined;
  }

  private running(): ChildProcess {
    if (!this.child) throw new Error("the server is not running");
    return this.child;
  }

  private async isHealthy(): Promise<boolean> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.port}/health`, { signal: AbortSignal.timeout(5_000) });
      return response.status === 200;
    } catch {
      return false;
    }
  }

  private environment(): NodeJS.ProcessEnv {
    // Unknown AGENTAREA_* variables stop the start, and the shell's own must not leak in.
    const foreign = /^(AGENTAREA_|DATABASE_|REDIS_|ENVIRONMENT$|LEPTOS_)/;
    const inherited = Object.entries(process.env).filter(([name]) => !foreign.test(name));
    return {
      ...Object.fromEntries(inherited),
      ...this.settings,
      AGENTAREA_DATA_DIR: join(this.folder, "data"),
      AGENTAREA_LISTEN: `127.0.0.1:${this.port}`,
      AGENTAREA_PUBLIC_URL: this.origin,
    };
  }
}

function identity(folder: string): Identity {
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  execFileSync("openssl", ["req", "-x509", ...curve, "-keyout", key, "-out", cert, "-days", "2", ...name], {
    stdio: "pipe",
  });
  return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
}

function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}

/** A port below those that the system hands out by itself, so that nobody else gets it meanwhile. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_000);
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}
