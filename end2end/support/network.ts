// The line between browser and server: a TCP proxy that a test can cut, with TLS if wanted.
import { createConnection, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";

/** Key and certificate, both PEM. */
export interface Identity {
  key: string;
  cert: string;
}

export class Network {
  private readonly sockets = new Set<Socket>();
  private isDown = false;
  /** Connections that were open when the line was cut: proof that a cut hit something. */
  cutConnections = 0;

  private constructor(
    private readonly listener: Server,
    readonly port: number,
  ) {}

  /** Opens a line to `target`, which may change when the server comes back elsewhere. */
  static async start(target: () => number, identity?: Identity): Promise<Network> {
    const listener = identity ? createTlsServer(identity) : createServer();
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const network = new Network(listener, (listener.address() as AddressInfo).port);
    listener.on(identity ? "secureConnection" : "connection", (client: Socket) => network.forward(client, target()));
    return network;
  }

  /** Drops every connection and refuses new ones until `restore`. */
  cut(): void {
    this.isDown = true;
    this.cutConnections += this.sockets.size / 2;
    for (const socket of this.sockets) socket.destroy();
  }

  restore(): void {
    this.isDown = false;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.listener.close(resolve));
  }

  private forward(client: Socket, port: number): void {
    if (this.isDown) {
      client.destroy();
      return;
    }
    const server = createConnection({ host: "127.0.0.1", port, noDelay: true });
    client.setNoDelay(true);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.sockets.add(from);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.sockets.delete(from);
        to.destroy();
      });
    }
  }
}
