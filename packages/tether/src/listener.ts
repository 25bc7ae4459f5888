/*
 * The agent's door: a plain net.Server of our own that hands its connections to grpc-js. Owning the
 * door lets us see what ended a connection (the cause of a cut), refuse one connection too many, and
 * put out callers that connect and never speak, none of which grpc-js does.
 */
import type { Http2SecureServer, Http2Server } from "node:http2";
import { type AddressInfo, createServer, type Socket } from "node:net";
import type { Server, ServerCredentials } from "@grpc/grpc-js";
import { CONNECTION_KEY, Connections } from "./connections.js";
import { setAsideLongTimeout } from "./deadline.js";
import { type Flood, watchFloods } from "./floods.js";

/**
 * Why a connection is turned away before its first call, or put out: `handshake_failed` is no TLS, or no good
 * certificate; `accept_failed` that the kernel did not hand it over, mostly for want of descriptors.
 */
export type Refusal =
  | "too_many"
  | "accept_failed"
  | "handshake_timeout"
  | "handshake_failed"
  | Flood;

export interface ListenOptions {
  /** Its services are added already. Keepalive is set in its options: it is off by default. */
  readonly server: Server;
  readonly credentials: ServerCredentials;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Connections beyond these are closed at once. */
  readonly connectionsMax?: number;
  /** Time to get through TLS and HTTP/2's greeting, in milliseconds. */
  readonly handshakeTimeoutMs?: number;
  /** A connection was turned away, or put out. */
  readonly refused?: (why: Refusal, peer: string) => void;
}

export interface Listener {
  readonly port: number;
  readonly connections: Connections;
  /**
   * Takes no new connections, lets calls end for `graceMs`, then ends what is left. Cut the tethers
   * first, with their cause. Resolves when the last socket is gone.
   */
  close(graceMs?: number): Promise<void>;
}

const CONNECTIONS_MAX = 1_024;
const HANDSHAKE_TIMEOUT_MS = 10_000;

export async function listen({
  server,
  credentials,
  host,
  port,
  connectionsMax = CONNECTIONS_MAX,
  handshakeTimeoutMs = HANDSHAKE_TIMEOUT_MS,
  refused = () => {},
}: ListenOptions): Promise<Listener> {
  const connections = new Connections();
  const { injector, http2 } = injectorOf(server, credentials);
  const greeting = new Map<string, NodeJS.Timeout>();
  const sockets = new Set<Socket>();

  // First in line: grpc-js must see the headers as they are left here.
  http2.prependListener("stream", (stream, headers) => {
    const connection = stream.session && connections.ofSession(stream.session);
    connection?.carries(stream);
    headers[CONNECTION_KEY] = connection?.id ?? "";
    setAsideLongTimeout(headers);
  });
  http2.on("session", (session) => {
    connections.watch(session);
    const peer = peerOf(session.socket);
    watchFloods(session, (what) => refused(what, peer));
    // HTTP/2's greeting ends with the caller's SETTINGS (RFC 9113, 3.4).
    session.once("remoteSettings", () => {
      clearTimeout(greeting.get(peer));
      greeting.delete(peer);
    });
  });

  const door = createServer({ noDelay: true }, (socket) => {
    const peer = peerOf(socket);
    sockets.add(socket);
    socket.on("error", () => {}); // told again by whoever reads it; unheard it would end the agent
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      refused("handshake_timeout", peer);
      socket.destroy();
    }, handshakeTimeoutMs);
    greeting.set(peer, timer);
    socket.once("close", () => {
      clearTimeout(timer);
      sockets.delete(socket);
      if (greeting.get(peer) !== timer) return;
      greeting.delete(peer);
      if (!late) refused("handshake_failed", peer);
    });
    injector.injectConnection(socket);
  });
  door.maxConnections = connectionsMax;
  door.on("drop", (dropped) => {
    refused("too_many", `${dropped?.remoteAddress}:${dropped?.remotePort}`);
  });
  await new Promise<void>((resolve, reject) => {
    door.once("error", (cause) =>
      reject(new Error(`cannot listen on ${host}, port ${port}: ${cause.message}`, { cause })),
    );
    door.listen({ host, port }, resolve);
  });
  // Unheard it would end the agent, and every tether with it.
  door.on("error", ({ message }) => refused("accept_failed", `unknown: ${message}`));

  return {
    port: (door.address() as AddressInfo).port, // a TCP server that listens has one
    connections,
    close: (graceMs = 0) => {
      const closed = new Promise<void>((resolve) => door.close(() => resolve()));
      injector.destroy();
      const end = () => {
        for (const socket of sockets) socket.destroy();
      };
      if (graceMs === 0) end();
      const timer = setTimeout(end, graceMs);
      return closed.finally(() => clearTimeout(timer));
    },
  };
}

function peerOf(socket: Pick<Socket, "remoteAddress" | "remotePort">): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}

/** What is private in grpc-js and used here. Its version is pinned; a test fails when this goes. */
interface Inside {
  createHttp2Server(credentials: ServerCredentials): Http2Server | Http2SecureServer;
}

/** A connection injector, and the HTTP/2 server behind it, which grpc-js does not show. */
function injectorOf(server: Server, credentials: ServerCredentials) {
  const inside = server as unknown as Inside; // checked on the next line
  const create = inside.createHttp2Server;
  if (typeof create !== "function") {
    throw new Error("this version of @grpc/grpc-js has no Server.createHttp2Server: use 1.14.7");
  }
  let http2: Http2Server | undefined;
  inside.createHttp2Server = (given) => {
    const made = create.call(server, given);
    http2 = made as Http2Server; // the events used here are the same in both
    return made;
  };
  try {
    const injector = server.createConnectionInjector(credentials);
    if (http2 === undefined) throw new Error("@grpc/grpc-js made no HTTP/2 server: use 1.14.7");
    return { injector, http2 };
  } finally {
    // Uncovers the class's own method again.
    delete (inside as Partial<Inside>).createHttp2Server;
  }
}
