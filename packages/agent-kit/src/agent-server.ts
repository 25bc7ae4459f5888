/*
 * An agent's gRPC server: the agent's own services behind its door, with health and reflection, on
 * a listener that knows what ended a connection. It listens from the start and answers STARTING
 * until `open`, so that a caller of an agent that was restarted learns to wait instead of guessing.
 */
import { addReflection, loadDescriptorSet } from "@ferry/contract";
import { type Listener, listen } from "@ferry/tether";
import { experimental, type Metadata, Server, ServerCredentials } from "@grpc/grpc-js";
import { callIds } from "./call-ids.js";
import { callMetrics } from "./call-metrics.js";
import type { Certificates } from "./certificates.js";
import { type AgentRole, type Config, splitAddress } from "./config.js";
import { type AgentPhase, door } from "./door.js";
import { HealthBook } from "./health.js";
import { serveHealth } from "./health-server.js";
import { type Authenticated, peerIdentity } from "./identity.js";
import { LIVENESS, Liveness, stateProbe } from "./liveness.js";
import type { Logger } from "./logs.js";
import type { Metrics } from "./metrics.js";
import { inOwnWords } from "./own-words.js";
import type { PolicyInForce } from "./policy-file.js";
import { refusals } from "./refusals.js";
import { adapters } from "./server.js";
import { sparingEach } from "./sparing.js";
import { bundle, isSignedBy } from "./trust.js";
import { refuseOthersCalls } from "./wrong-agent.js";

/**
 * What HTTP/2 may hold for one connection, in megabytes; grpc-js lifts Node's limit of 10. Room for as
 * many streams as a connection may have, each with headers and a window, and for a message or two.
 */
const SESSION_MEGABYTES_MAX = 128;
/** Strangers may knock without end, and the log must not be theirs: lines a minute, for each reason why. */
const TURNED_AWAY_LINES_MAX = 60;

export interface AgentServerOptions {
  readonly config: Config;
  readonly role: AgentRole;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Undefined: plaintext. */
  readonly certificates: Certificates | undefined;
  /** Who may call what; not asked over plaintext. */
  readonly policy: Pick<PolicyInForce, "current">;
  /** Full names of the agent's services, e.g. "ferry.v1.SourceService": for health and reflection. */
  readonly services: readonly string[];
  /** Adds the agent's services to the server. */
  add(server: Server, handlers: ReturnType<typeof adapters>): void;
}

export interface AgentServer {
  readonly port: number;
  /** Of the port that has health and no TLS. */
  readonly healthPort: number | undefined;
  readonly listener: Listener;
  readonly phase: AgentPhase;
  /** Everything was found again: takes calls. */
  open(): void;
  /** Says NOT_SERVING; calls still come in, and handlers refuse new work. */
  drain(): void;
  /** Lets calls end for `graceMs`, then ends them. */
  close(graceMs: number): Promise<void>;
}

/** Listens. Rejects if the port cannot be had. */
export async function serve(options: AgentServerOptions): Promise<AgentServer> {
  const { config, role, log, metrics, certificates, policy, services } = options;
  let phase: AgentPhase = "starting";
  const secure = certificates !== undefined;
  let listener: Listener | undefined;
  const who = (call: Authenticated, metadata: Metadata) => {
    const isOutdated = listener?.connections.of({ metadata })?.isOutdated;
    return peerIdentity(call, secure ? policy.current : undefined, isOutdated);
  };
  const server = new Server({
    // First is innermost: what the door refuses is counted and named, too.
    interceptors: [
      inOwnWords([
        callIds(log),
        callMetrics(metrics.calls),
        refusals({ log, metrics }),
        door({ who, phase: () => phase }),
      ]),
    ],
    "grpc.keepalive_time_ms": config.keepalive.timeMs,
    "grpc.keepalive_timeout_ms": config.keepalive.timeoutMs,
    "grpc.max_receive_message_length": config.limits.messageBytesMax,
    "grpc.max_send_message_length": config.limits.messageBytesMax,
    "grpc.max_concurrent_streams": config.limits.streamsMax,
    "grpc-node.max_session_memory": SESSION_MEGABYTES_MAX,
  });
  const handlers = adapters({ log, who });
  options.add(server, handlers);
  refuseOthersCalls(server, role, config, handlers);
  const health = new HealthBook();
  const say = (isServing: boolean) => {
    for (const name of ["", ...services]) health.set(name, isServing);
  };
  say(false);
  health.set(LIVENESS, true);
  health.addTo(server);
  addReflection(server, loadDescriptorSet(), [...services, "grpc.health.v1.Health"]);

  const turnedAway = sparingEach(TURNED_AWAY_LINES_MAX, (unsaid, why: string, peer: string) =>
    log.warn({ why, peer, unsaid }, "a connection was turned away"),
  );
  const { host, port } = splitAddress(config.listen);
  const probes = await openHealth();
  const listening = await listen({
    server,
    credentials: credentialsOf(certificates),
    host,
    port,
    connectionsMax: config.limits.connectionsMax,
    refused: (why, peer) => {
      if (why === "too_many") metrics.limits.refused("connections_max");
      metrics.connectionsRefused.inc({ why });
      turnedAway(why, why, peer); // apart: who only knocks must not hide who floods
    },
  }).catch(async (error: unknown) => {
    await probes?.close();
    throw error;
  });
  listener = listening;
  certificates?.onChange(() => outdate(listening.connections, certificates, log));
  const liveness = new Liveness({
    probe: stateProbe(config.stateDir, role),
    withinMs: config.timeouts.livenessMs,
    log,
    say: (isAlive) => {
      metrics.stateHung.set({ role }, isAlive ? 0 : 1);
      health.set(LIVENESS, isAlive);
    },
  });
  log.info({ address: `${host}:${listening.port}`, secure }, "listening");
  const { limits } = config;
  metrics.limits.add({
    connections_max: { max: () => limits.connectionsMax, used: () => listening.connections.open },
    streams_max: { max: () => limits.streamsMax },
    message_bytes_max: { max: () => limits.messageBytesMax },
  });
  return {
    port: listening.port,
    healthPort: probes?.port,
    listener: listening,
    get phase() {
      return phase;
    },
    open: () => {
      if (phase !== "starting") return;
      phase = "serving";
      say(true);
    },
    drain: () => {
      phase = "draining";
      say(false);
    },
    close: async (graceMs) => {
      await listening.close(graceMs);
      liveness.stop();
      await probes?.close(); // last: whoever ends an agent that does not answer waits for it to end
    },
  };

  async function openHealth(): Promise<Listener | undefined> {
    const address = config.healthListen;
    return address === undefined ? undefined : serveHealth({ listen: address, health, log });
  }
}

/** Whoever is connected by the word of a CA that is not trusted any more is as good as gone: see Connection.outdate. */
function outdate(
  connections: Listener["connections"],
  { pems }: Pick<Certificates, "pems">,
  log: Logger,
): void {
  const authorities = bundle(pems.ca);
  let outdated = 0;
  for (const connection of connections.current()) {
    const { certificate } = connection;
    if (certificate === undefined || isSignedBy(certificate, authorities)) continue;
    connection.outdate();
    outdated += 1;
  }
  if (outdated === 0) return;
  log.warn(
    { connections: outdated },
    "connections with certificates of a CA that is not trusted any more: each ends with its last call, and nothing new is begun on it",
  );
}

/** Every caller must show a certificate that our CA signed. Files that change are taken up. */
function credentialsOf(certificates: Certificates | undefined): ServerCredentials {
  if (certificates === undefined) return ServerCredentials.createInsecure();
  return experimental.createCertificateProviderServerCredentials(certificates, certificates, true);
}
