/*
 * What an agent counts. Each metric answers a question somebody asks at night; labels are unions of
 * words, so there are a few hundred series at most. Ids are labels in two places, each with a bound: a migration's
 * own series (migration-metrics.ts), and which guests run here. Labels that are known beforehand are
 * initialised: a series that does not exist cannot be alerted on. docs/metrics.md is drawn from here.
 */
import { FAILURES, REASONS } from "@ferry/contract";
import type { Refusal } from "@ferry/tether";
import { status } from "@grpc/grpc-js";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { bandwidthMetrics } from "./bandwidth-metrics.js";
import type { AgentRole } from "./config.js";
import { configMetrics } from "./config-metrics.js";
import { limitMetrics } from "./limit-metrics.js";
import { journalMetrics } from "./measured-disk.js";
import { registerMigrationMetrics } from "./migration-metrics.js";
import { MigrationSeries } from "./migration-series.js";
import { VERSION } from "./version.js";

const CAUSES = [
  "cancelled",
  "connection_lost",
  "keepalive",
  "heartbeat",
  "deadline",
  "agent_died",
  "shutdown",
] as const;
export const ORPHAN_KINDS = ["process", "run_directory", "cgroup", "record"] as const;
const REFUSALS: readonly Refusal[] = [
  "too_many",
  "accept_failed",
  "handshake_timeout",
  "handshake_failed",
  "ping_flood",
  "settings_flood",
];
/** Every reason whose status is PERMISSION_DENIED. */
const DENIALS = Object.entries(REASONS).flatMap(([reason, { code }]) =>
  code === status.PERMISSION_DENIED ? [reason] : [],
);
/** How a migration may end, and why. A reason seen for the first time must be an increase from 0. */
const OUTCOMES: Record<AgentRole, Readonly<Record<string, readonly string[]>>> = {
  source: {
    succeeded: ["none"],
    failed: Object.keys(FAILURES).filter((reason) => reason !== "ABORTED"),
    cancelled: ["ABORTED"],
  },
  destination: {
    succeeded: ["none"],
    failed: ["abandoned", "recalled", "qemu_died", "keeper_died", "host_fault"],
    tether_lost: CAUSES,
    perished: ["qemu_died", "keeper_died", "host_fault"],
  },
};
const SECONDS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1_000, 3_000];

export type Metrics = ReturnType<typeof makeMetrics>;

export interface MetricsOptions {
  readonly role: AgentRole;
  /** Node.js's own metrics and the event loop's delay; off where many agents share a process. */
  readonly process?: boolean;
  /** Which migrations have series of their own. */
  readonly series?: MigrationSeries;
}

export function makeMetrics({
  role,
  process: withProcess = true,
  series = new MigrationSeries(),
}: MetricsOptions) {
  const registry = new Registry();
  const registers = [registry];
  if (withProcess) collectDefaultMetrics({ register: registry });

  const metrics = {
    registry,
    /** Told by each migration of itself. */
    series,
    active: new Gauge({
      name: "ferry_migrations_active",
      help: "Migrations under way at this agent, by phase.",
      labelNames: ["role", "phase"] as const,
      registers,
    }),
    migrations: new Counter({
      name: "ferry_migrations_total",
      help: "Migrations that ended at this agent, by outcome; `reason` is none for a success.",
      labelNames: ["role", "outcome", "reason"] as const,
      registers,
    }),
    phaseDuration: new Histogram({
      name: "ferry_migration_phase_duration_seconds",
      help: "How long migrations stayed in a phase before they left it.",
      labelNames: ["role", "phase"] as const,
      buckets: SECONDS,
      registers,
    }),
    duration: new Histogram({
      name: "ferry_migration_duration_seconds",
      help: "From Begin until the source was settled.",
      buckets: SECONDS,
      registers,
    }),
    downtime: new Histogram({
      name: "ferry_migration_downtime_seconds",
      help: "Guest pause, from STOP on the source to RESUME on the destination, by two hosts' clocks.",
      labelNames: ["mode"] as const, // precopy | postcopy | stop
      buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10],
      registers,
    }),
    refused: new Counter({
      name: "ferry_refused_total",
      help: "Messages outside the protocol, by the phase that heard them.",
      labelNames: ["role", "phase", "heard"] as const,
      registers,
    }),
    retakes: new Counter({
      name: "ferry_retakes_total",
      help: "Times QEMU did not take a guest back at once after a migration came to nothing.",
      registers,
    }),
    overrides: new Counter({
      name: "ferry_overrides_total",
      help: "Times a person stood in for a host that was said to be gone.",
      labelNames: ["role"] as const,
      registers,
    }),
    auditChanged: new Gauge({
      name: "ferry_audit_log_changed",
      help: "Is 1 if the audit log on disk is not as this agent wrote it, as it was last looked at: at the start, and every hour.",
      labelNames: ["role"] as const,
      registers,
    }),
    conflicts: new Counter({
      name: "ferry_conflicts_total",
      help: "Times the other side's word cannot be true beside ours: after a wrong override two copies may run.",
      labelNames: ["role"] as const,
      registers,
    }),
    perished: new Gauge({
      name: "ferry_guests_perished",
      help: "Guests that may have run at a destination and are dead there, as this agent knows it: each waits for a person.",
      labelNames: ["role"] as const,
      registers,
    }),
    peerSilent: new Gauge({
      name: "ferry_peer_silent",
      help: "Migrations that wait for the word of the other agent, which says nothing.",
      labelNames: ["role"] as const,
      registers,
    }),
    stateUnwritable: new Gauge({
      name: "ferry_state_directory_unwritable",
      help: "Whether the state directory cannot be written: 1 while it cannot.",
      labelNames: ["role"] as const,
      registers,
    }),
    guests: new Gauge({
      name: "ferry_guests",
      help: "Guests at this agent, by state: living here (source; finished) or arriving (destination). An arriving guest that is not tethered dies, or its agent is mending what another left behind.",
      labelNames: ["role", "state", "tethered", "finished"] as const,
      registers,
    }),
    owner: new Gauge({
      name: "ferry_guest_owner_info",
      help: "Always 1, for every guest that this host runs or is about to run. Two hosts that say so of one guest run it twice.",
      labelNames: ["guest_id", "host_id"] as const,
      registers,
    }),
    meets: new Gauge({
      name: "ferry_meets_connected",
      help: "Meet streams that are up: at a source, those on which the destination spoke a moment ago.",
      labelNames: ["role"] as const,
      registers,
    }),
    journal: journalMetrics(registers),
    orphans: new Gauge({
      name: "ferry_orphans",
      help: "What no guest and no migration of this host owns, as it was last looked for: at the start, and by ListOrphans.",
      labelNames: ["kind"] as const, // process | run_directory | cgroup | record
      registers,
    }),
    tethersOpen: new Gauge({
      name: "ferry_tethers_open",
      help: "Prepare streams that hold a guest's life.",
      registers,
    }),
    tetherLosses: new Counter({
      name: "ferry_tether_losses_total",
      help: "Guests killed because their tether was cut, by what cut it.",
      labelNames: ["cause"] as const,
      registers,
    }),
    tetherKillSeconds: new Histogram({
      name: "ferry_tether_kill_seconds",
      help: "From a tether's cut until the guest's QEMU was reaped.",
      labelNames: ["cause"] as const,
      buckets: [0.005, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
      registers,
    }),
    certificateExpires: new Gauge({
      name: "ferry_tls_certificate_expiration_timestamp_seconds",
      help: "When this agent's certificate ends, in seconds since 1970; 0 over plaintext.",
      registers,
    }),
    stateHung: new Gauge({
      name: "ferry_state_directory_hung",
      help: "Is 1 while the state directory does not answer at all, and liveness says NOT_SERVING.",
      labelNames: ["role"] as const,
      registers,
    }),
    permissionDenied: new Counter({
      name: "ferry_permission_denied_total",
      help: "Calls refused with PERMISSION_DENIED, by the reason in their details.",
      labelNames: ["reason"] as const,
      registers,
    }),
    connectionsRefused: new Counter({
      name: "ferry_connections_refused_total",
      help: "Connections turned away before their first call, or put out for flooding, by why.",
      labelNames: ["why"] as const,
      registers,
    }),
    fileRefused: new Gauge({
      name: "ferry_file_refused",
      help: "Is 1 while a file that was changed on disk cannot be used, and the one before stays in force.",
      labelNames: ["file"] as const, // tls | policy | config
      registers,
    }),
    plaintext: new Gauge({
      name: "ferry_plaintext",
      help: "1 if this agent speaks without TLS: anybody on its network may move its guests.",
      registers,
    }),
    build: new Gauge({
      name: "ferry_build_info",
      help: "Always 1; the labels say what runs here. `qemu_versions` are those of this host's QEMU and of its guests', once they are known.",
      labelNames: ["role", "host_id", "version", "protocol", "qemu_versions"] as const,
      registers,
    }),
    config: configMetrics(registers),
    limits: limitMetrics(registers),
    bandwidth: bandwidthMetrics(role, registers),
    calls: callMetrics(registers),
  };

  registerMigrationMetrics(role, series, registers);
  metrics.meets.set({ role }, 0);
  metrics.overrides.inc({ role }, 0);
  metrics.conflicts.inc({ role }, 0);
  for (const gauge of [
    metrics.perished,
    metrics.peerSilent,
    metrics.stateUnwritable,
    metrics.stateHung,
    metrics.auditChanged,
  ]) {
    gauge.set({ role }, 0);
  }
  for (const reason of DENIALS) metrics.permissionDenied.inc({ reason }, 0);
  for (const why of REFUSALS) metrics.connectionsRefused.inc({ why }, 0);
  for (const file of ["tls", "policy", "config"]) metrics.fileRefused.set({ file }, 0);
  for (const kind of ORPHAN_KINDS) metrics.orphans.set({ kind }, 0);
  for (const [outcome, reasons] of Object.entries(OUTCOMES[role])) {
    for (const reason of reasons) metrics.migrations.inc({ role, outcome, reason }, 0);
  }
  if (role === "destination") {
    for (const cause of CAUSES) {
      metrics.tetherLosses.inc({ cause }, 0);
      metrics.tetherKillSeconds.zero({ cause });
    }
    metrics.downtime.zero({ mode: "precopy" });
  }
  return metrics;
}

/** Says what runs here. Repeating it is no harm; what was said before is taken back. */
export function tellBuild(
  { build }: Pick<Metrics, "build">,
  it: {
    readonly role: AgentRole;
    readonly hostId: string;
    readonly protocolVersion: number;
    readonly qemuVersions: Iterable<string>;
  },
): void {
  build.reset();
  build.set(
    {
      role: it.role,
      host_id: it.hostId,
      version: VERSION,
      protocol: String(it.protocolVersion),
      qemu_versions: [...new Set(it.qemuVersions)].filter(Boolean).sort().join(","),
    },
    1,
  );
}

/** The names every gRPC dashboard knows. msg_* count the messages of unary calls too. */
function callMetrics(registers: Registry[]) {
  const labelNames = ["grpc_type", "grpc_service", "grpc_method"] as const;
  return {
    started: new Counter({
      name: "grpc_server_started_total",
      help: "Calls begun.",
      labelNames,
      registers,
    }),
    handled: new Counter({
      name: "grpc_server_handled_total",
      help: "Calls ended, by status code.",
      labelNames: [...labelNames, "grpc_code"] as const,
      registers,
    }),
    seconds: new Histogram({
      name: "grpc_server_handling_seconds",
      help: "How long calls took. Prepare and Meet are as long as their migration.",
      labelNames,
      buckets: [0.003, ...SECONDS],
      registers,
    }),
    received: new Counter({
      name: "grpc_server_msg_received_total",
      help: "Messages received, those of unary calls included.",
      labelNames,
      registers,
    }),
    sent: new Counter({
      name: "grpc_server_msg_sent_total",
      help: "Messages sent, those of unary calls included.",
      labelNames,
      registers,
    }),
  };
}

export type CallMetrics = Metrics["calls"];
