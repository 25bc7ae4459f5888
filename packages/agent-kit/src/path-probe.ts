/*
 * Proves that memory could travel from one host to another: the destination listens for a moment on a
 * port that a migration might get, the source connects, and the two exchange a word and more bytes than
 * fit a packet. A firewall that drops, a route that is missing and a path that swallows large packets
 * all look alike to a copy that hangs; here each has its own words. The port is one that no QEMU has.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { networkInterfaces } from "node:os";

/** What each side sends after its word: many packets, however large they are. */
const PAYLOAD_BYTES = 64 * 1024;
/** How long connecting may take, and then the exchange, in milliseconds. */
const CONNECT_MS = 3_000;
const EXCHANGE_MS = 3_000;
/** A word is 64 hexadecimal digits. */
const WORD_BYTES = 64;
const CONNECTIONS_MAX = 4;

export interface ProbeListener {
  /** Resolves once somebody said the right word and got all there is to get. */
  readonly exchanged: Promise<void>;
  close(): void;
}

/** Listens on that port, for whoever knows `token` (64 hexadecimal digits). Rejects like `listen`. */
export function listenForProbe(host: string, port: number, token: string): Promise<ProbeListener> {
  const sockets = new Set<Socket>();
  let done: () => void = () => {};
  const exchanged = new Promise<void>((resolve) => {
    done = resolve;
  });
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
    let heard = Buffer.alloc(0);
    let answered = false;
    let bytes = 0;
    socket.on("data", (chunk) => {
      bytes += chunk.length;
      if (heard.length < WORD_BYTES) heard = Buffer.concat([heard, chunk]);
      if (!answered && heard.length >= WORD_BYTES) {
        if (heard.subarray(0, WORD_BYTES).toString() !== token) {
          socket.destroy();
          return;
        }
        answered = true;
        socket.write(answerTo(token));
      }
      if (answered && bytes >= WORD_BYTES + PAYLOAD_BYTES) {
        socket.end(Buffer.alloc(PAYLOAD_BYTES));
        socket.once("close", () => done());
      }
    });
  });
  server.maxConnections = CONNECTIONS_MAX;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, exclusive: true }, () => {
      server.on("error", () => {});
      resolve({
        exchanged,
        close: () => {
          server.close();
          for (const socket of sockets) socket.destroy();
        },
      });
    });
  });
}

export type ProbeResult =
  | { readonly connectUs: number }
  /** A sentence for people, without its end. */
  | { readonly blocked: string };

/** Connects to a listener and exchanges everything. Never rejects; takes at most 6 s. */
export function dialProbe(host: string, port: number, token: string): Promise<ProbeResult> {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const socket = connect({ host, port, noDelay: true });
    let connectUs: number | undefined;
    let heard = Buffer.alloc(0);
    let mtu = "";
    const end = (result: ProbeResult) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const late = () => {
      if (connectUs === undefined) {
        end({
          blocked: `no answer to a connection within ${CONNECT_MS / 1000} s (ETIMEDOUT): a firewall that drops, or no way there`,
        });
      } else if (heard.length < WORD_BYTES) {
        end({ blocked: `it connected, and no byte came back within ${EXCHANGE_MS / 1000} s` });
      } else {
        end({
          blocked: `it connected and small packets pass, and large ones do not: look at the MTU all the way${mtu}`,
        });
      }
    };
    let timer = setTimeout(late, CONNECT_MS);
    socket.once("connect", () => {
      connectUs = Math.round((performance.now() - startedAt) * 1000);
      mtu = mtuOf(socket.localAddress);
      clearTimeout(timer);
      timer = setTimeout(late, EXCHANGE_MS);
      socket.write(token);
    });
    socket.on("data", (chunk) => {
      const before = heard.length;
      heard = Buffer.concat([heard, chunk]);
      if (before < WORD_BYTES && heard.length >= WORD_BYTES) {
        if (heard.subarray(0, WORD_BYTES).toString() !== answerTo(token)) {
          end({
            blocked:
              "something else answers there: an address or a port that is translated on the way",
          });
          return;
        }
        socket.write(Buffer.alloc(PAYLOAD_BYTES));
      }
      if (heard.length >= WORD_BYTES + PAYLOAD_BYTES) end({ connectUs: connectUs ?? 0 });
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      end({
        blocked: `${connectUs === undefined ? "connecting failed" : "the connection broke"}: ${error.code ?? error.message}`,
      });
    });
    socket.once("close", () =>
      end({ blocked: "the connection was closed before everything was exchanged" }),
    );
  });
}

function answerTo(token: string): string {
  return createHash("sha256").update(`ferry probe ${token}`).digest("hex");
}

/** The largest packet of the interface with that address, in words; empty if it is not known. */
function mtuOf(address: string | undefined): string {
  for (const [name, addresses = []] of Object.entries(networkInterfaces())) {
    if (!addresses.some((each) => each.address === address)) continue;
    try {
      return `; here ${name} has ${readFileSync(`/sys/class/net/${name}/mtu`, "utf8").trim()}`;
    } catch {
      return "";
    }
  }
  return "";
}
