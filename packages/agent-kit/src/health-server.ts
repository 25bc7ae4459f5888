/*
 * The one port without TLS: kubelet's probes, and most load balancers', bring no certificate. It has
 * nothing but grpc.health.v1, which tells anybody whether this agent serves, and every way to make it
 * work hard is small.
 */
import { type Listener, listen } from "@ferry/tether";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { splitAddress } from "./config.js";
import type { HealthBook } from "./health.js";
import type { Logger } from "./logs.js";

const CONNECTIONS_MAX = 32;
const STREAMS_MAX = 16;
const MESSAGE_BYTES_MAX = 4_096;
const HANDSHAKE_TIMEOUT_MS = 2_000;
const KEEPALIVE_TIME_MS = 10_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;

export interface HealthServerOptions {
  /** "host:port"; port 0: any free one. */
  readonly listen: string;
  readonly health: HealthBook;
  readonly log: Logger;
}

export async function serveHealth(options: HealthServerOptions): Promise<Listener> {
  const { health, log } = options;
  const server = new Server({
    "grpc.keepalive_time_ms": KEEPALIVE_TIME_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
    "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
    "grpc.max_concurrent_streams": STREAMS_MAX,
  });
  health.addTo(server);
  const { host, port } = splitAddress(options.listen);
  const listener = await listen({
    server,
    credentials: ServerCredentials.createInsecure(),
    host,
    port,
    connectionsMax: CONNECTIONS_MAX,
    handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
    refused: (why, peer) => log.debug({ why, peer }, "a health probe was turned away"),
  }).catch((error: unknown) => {
    throw new Error(`health_listen: cannot listen on ${options.listen}`, { cause: error });
  });
  log.info({ address: `${host}:${listener.port}` }, "health, without TLS");
  return listener;
}
