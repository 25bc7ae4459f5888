/*
 * The port on which the other pump is awaited, before the tunnel is open. Anybody on the network can
 * knock, so nobody may keep a connection long, or many at once, without being let in.
 */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** A connection that has not been let in by then is closed. */
const OPEN_TIMEOUT_MS = 10_000;
/** Connections that are trying at once; more are closed unheard. */
const STRANGERS_MAX = 16;

export class Door {
  readonly #waiting = new Map<Socket, NodeJS.Timeout>();
  readonly #listener: Server;

  /** `knock` is called with every new connection. */
  constructor(knock: (socket: Socket) => void, openTimeoutMs = OPEN_TIMEOUT_MS) {
    this.#listener = createServer({ noDelay: true }, (socket) => {
      const slow = setTimeout(() => socket.destroy(), openTimeoutMs);
      this.#waiting.set(socket, slow);
      socket.on("error", () => {}); // its HTTP/2 session hears it too
      socket.once("close", () => {
        clearTimeout(slow);
        this.#waiting.delete(socket);
      });
      knock(socket);
    });
    this.#listener.maxConnections = STRANGERS_MAX;
  }

  /**
   * Listens on the first port that is free.
   * @throws Error naming the range if none is, or saying what else is wrong with the address
   */
  async open(host: string, ports: readonly number[]): Promise<number> {
    for (const port of ports) {
      const error = await this.#listen(host, port);
      if (error === undefined) return (this.#listener.address() as AddressInfo).port; // TCP
      if (error.code !== "EADDRINUSE") {
        throw new Error(`cannot listen on ${host}, port ${port}: ${error.message}`);
      }
    }
    throw new Error(
      `none of the ports ${Math.min(...ports)} to ${Math.max(...ports)} on ${host} is free: ` +
        "stop what else uses them, or widen the range",
    );
  }

  /**
   * One was let in: nobody else is listened to any more.
   * @param peer the one's "address:port"
   * @returns resolves when its connection is closed
   */
  closeBehind(peer: string): Promise<void> {
    this.#listener.close();
    const gone: Promise<void>[] = [];
    for (const [socket, slow] of this.#waiting) {
      clearTimeout(slow);
      if (`${socket.remoteAddress}:${socket.remotePort}` !== peer) socket.destroy();
      else gone.push(new Promise((resolve) => socket.once("close", () => resolve())));
    }
    return Promise.all(gone).then(() => {});
  }

  #listen(host: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
    return new Promise((resolve) => {
      const failed = (error: NodeJS.ErrnoException) => resolve(error);
      this.#listener.once("error", failed);
      this.#listener.listen({ host, port }, () => {
        this.#listener.off("error", failed);
        resolve(undefined);
      });
    });
  }
}
