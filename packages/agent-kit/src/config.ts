/*
 * An agent's configuration: what it may contain, and its defaults. docs/agent.example.yaml shows
 * every key with its default and says what it is for; a test holds the two together. It is read at
 * the start and passed on explicitly; config-live.ts says what of it may change afterwards.
 */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { type CgroupPlacement, cgroupsEverywhere } from "@ferry/qemu";
import { z } from "zod";
import { type Camelized, camelize } from "./camel.js";
import { RUN_DIR_BYTES_MAX } from "./run-directory.js";

/** Which of a host's two agents. */
export type AgentRole = "source" | "destination";

/** Where each agent listens unless its file says otherwise. */
const LISTEN: Record<AgentRole, Record<"grpc" | "health" | "metrics", string>> = {
  source: { grpc: "0.0.0.0:7701", health: "0.0.0.0:7711", metrics: "127.0.0.1:9701" },
  destination: { grpc: "0.0.0.0:7702", health: "0.0.0.0:7712", metrics: "127.0.0.1:9702" },
};

/** The port that agent listens on unless its file says otherwise. */
export function usualPort(role: AgentRole): number {
  return splitAddress(LISTEN[role].grpc).port;
}

/** A host's id is part of its agents' ids and of its certificate's name. */
const HOST_ID = /^[a-z0-9][a-z0-9.-]{0,63}$/;
export function isHostId(text: string): boolean {
  return HOST_ID.test(text);
}

const HOST_AND_PORT = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})$/;
/** Node.js cannot hold a timer longer than this. */
const TIMER_MS_MAX = 2 ** 31 - 1;

const address = z
  .string()
  .refine(isAddress, '"host:port" is wanted, e.g. "0.0.0.0:7701" or "[::]:7701"');
const path = z.string().startsWith("/", "an absolute path is wanted");
const port = z.int().min(1).max(65_535);
const timeMs = z.int().min(1).max(TIMER_MS_MAX);
/** Less than this, divided among many, would be no copy at all; QEMU takes less than 10 for no limit. */
const bandwidth = z.int().min(1_048_576, "at least 1048576 (1 MiB/s); null: no limit");
/** Linux: IFNAMSIZ is 16, its last byte zero. */
const interfaceName = z.string().regex(/^[^\s/:]{1,15}$/, "a network interface's name is wanted");
/** Names an operator gives; a hyphen, since an underscore would be rewritten. */
const networkName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,31}$/, "1 to 32 characters of a-z 0-9 -, beginning with a letter");
const count = z.int().min(1).max(100_000);

/** A network a guest's memory may come in on. */
const network = z
  .strictObject({
    listen_host: z.string().min(1).nullable().default(null),
    interface: interfaceName.nullable().default(null),
    prefer: z.enum(["ipv4", "ipv6"]).default("ipv4"),
    advertise_host: z.string().min(1).nullable().default(null),
  })
  .refine(({ listen_host, interface: name }) => (listen_host === null) !== (name === null), {
    error: "a network has a listen_host or an interface, one of the two",
  });

const schema = z.strictObject({
  host_id: z
    .string()
    .regex(
      HOST_ID,
      "1 to 64 characters of a-z 0-9 . - are wanted, beginning with a letter or digit",
    )
    .nullable()
    .default(null),
  listen: address.nullable().default(null),
  advertise: address.nullable().default(null),
  health_listen: z
    .union([z.literal("off"), address])
    .nullable()
    .default(null),
  metrics_listen: address.nullable().default(null),
  metrics_tls: z.boolean().nullable().default(null),
  policy: path.nullable().default(null),
  state_dir: path.default("/var/lib/ferry"),
  run_dir: path
    .refine(
      (dir) => Buffer.byteLength(dir) <= RUN_DIR_BYTES_MAX,
      `at most ${RUN_DIR_BYTES_MAX} bytes: a unix socket's path must stay under 108`,
    )
    .default("/run/ferry"),
  plaintext: z.boolean().default(false),
  tls: z
    .strictObject({
      cert: path.default("/etc/ferry/tls/host.crt"),
      key: path.default("/etc/ferry/tls/host.key"),
      ca: path.default("/etc/ferry/tls/ca.crt"),
    })
    .prefault({}),
  qemu: z
    .strictObject({
      binary: path.default("/usr/bin/qemu-system-x86_64"),
      accelerator: z.enum(["auto", "kvm", "tcg"]).default("auto"),
      bundle: path.nullable().default(null),
      cgroups: z.union([z.literal("auto"), z.array(path)]).default([]),
      sandbox: z.boolean().default(true),
      user: z
        .string()
        .regex(/^[a-z_][a-z0-9_-]{0,31}$/, "the name of a user of this machine is wanted")
        .nullable()
        .default(null),
      allowed_paths: z
        .array(path)
        .default(["/srv/ferry", "/usr/share/qemu", "/usr/share/OVMF", "/boot"]),
    })
    .prefault({}),
  migration: z
    .strictObject({
      listen_host: z.string().min(1).default("0.0.0.0"),
      interface: interfaceName.nullable().default(null),
      prefer: z.enum(["ipv4", "ipv6"]).default("ipv4"),
      advertise_host: z.string().min(1).nullable().default(null),
      networks: z
        .record(networkName, network)
        .refine((networks) => !("default" in networks), "default is the name of what stands above")
        .default({}),
      port_first: port.default(49_152),
      port_last: port.default(49_215),
      allow_plain: z.boolean().default(false),
    })
    .refine(({ port_first, port_last }) => port_first <= port_last, {
      path: ["port_last"],
      error: "port_last must not be below port_first",
    })
    .prefault({}),
  keepalive: z
    .strictObject({
      time_ms: timeMs.min(100, "at least 100: a busy client cannot answer faster").default(2_000),
      timeout_ms: timeMs.min(300, "at least 300: a busy agent cannot hear faster").default(8_000),
    })
    .refine(({ time_ms, timeout_ms }) => timeout_ms >= 3 * time_ms, {
      path: ["timeout_ms"],
      error: "timeout_ms must be at least 3 × time_ms: one late answer must not kill a guest",
    })
    .prefault({}),
  limits: z
    .strictObject({
      arrivals_max: count.default(16),
      departures_max: count.default(16),
      arrivals_per_caller_max: count.default(16),
      departures_per_caller_max: count.default(16),
      guests_max: count.default(1_024),
      endings_max: count.default(100_000),
      probes_max: count.default(4),
      bandwidth_bytes_per_second: bandwidth.nullable().default(null),
      incoming_bandwidth_bytes_per_second: bandwidth.nullable().default(null),
      memory_reserve_bytes: z.int().min(0).default(1_073_741_824),
      message_bytes_max: z.int().min(65_536).max(67_108_864).default(4_194_304),
      connections_max: count.default(1_024),
      streams_max: count.default(1_024),
    })
    .prefault({}),
  timeouts: z
    .strictObject({
      lease_ms: timeMs.default(60_000),
      beat_ms: timeMs.default(250),
      meet_stale_ms: timeMs.default(1_000),
      tether_beat_ms: timeMs.default(10_000),
      switchover_margin_ms: timeMs.default(1_000),
      stall_ms: timeMs.default(10_000),
      liveness_ms: timeMs.default(20_000),
      drain_ms: timeMs.default(10_000),
    })
    .refine(({ beat_ms, meet_stale_ms }) => meet_stale_ms >= 2 * beat_ms, {
      path: ["meet_stale_ms"],
      error: "meet_stale_ms must be at least 2 × beat_ms, or every late beat cancels a migration",
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z.enum(["fatal", "error", "warn", "info", "debug", "trace"]).default("info"),
      file: path.nullable().default(null),
    })
    .prefault({}),
  traces: z
    .strictObject({
      otlp_endpoint: z
        .string()
        .refine(
          isCollector,
          'an http or https URL without a password is wanted, e.g. "http://127.0.0.1:4318/v1/traces"',
        )
        .nullable()
        .default(null),
      queue_max: count.default(512),
    })
    .prefault({}),
});

/** The schema of the file; `configOf` makes a Config of what it accepts. */
export const configSchema = schema.refine(
  ({ plaintext, metrics_tls }) => !(plaintext && metrics_tls === true),
  {
    path: ["metrics_tls"],
    error: "metrics_tls needs the certificates that plaintext: true does without",
  },
);

type File = z.output<typeof schema>;

/** What both agents know of their configuration. Names are those of the file, in camelCase. */
export type Config = Camelized<
  Omit<File, "host_id" | "listen" | "health_listen" | "metrics_listen" | "metrics_tls" | "qemu">
> & {
  readonly hostId: string;
  readonly qemu: Omit<Camelized<File["qemu"]>, "cgroups"> & { readonly cgroups: CgroupPlacement };
  /** "host:port" of this agent's gRPC port. Controllers and agents share it. */
  readonly listen: string;
  /** "host:port" of the port that has health and no TLS; undefined: none. */
  readonly healthListen: string | undefined;
  /** "host:port" of the metrics endpoint. */
  readonly metricsListen: string;
  /** Whether it asks for a certificate, as the gRPC port does. */
  readonly metricsTls: boolean;
};

/** Completes what a file left open: the host's name, and the ports of that agent. */
export function configOf(file: File, role: AgentRole): Config {
  const { host_id, listen, health_listen, metrics_listen, metrics_tls, qemu, ...rest } = file;
  const metricsListen = metrics_listen ?? LISTEN[role].metrics;
  return {
    ...camelize(rest),
    qemu: { ...camelize(qemu), cgroups: placementOf(qemu.cgroups) },
    hostId: host_id ?? hostIdOf(hostname()),
    listen: listen ?? LISTEN[role].grpc,
    healthListen: health_listen === "off" ? undefined : (health_listen ?? LISTEN[role].health),
    metricsListen,
    metricsTls: metrics_tls ?? !(rest.plaintext || isLoopback(metricsListen)),
  };
}

/** "host-1/source", "host-1/destination": what an agent calls itself on the wire. */
export function agentIdOf(hostId: string, role: AgentRole): string {
  return `${hostId}/${role}`;
}

/** Splits "host:port" and "[ipv6]:port". */
export function splitAddress(text: string): { readonly host: string; readonly port: number } {
  const [, host = "", digits = ""] = HOST_AND_PORT.exec(text) ?? [];
  if (host === "") throw new Error(`"host:port" is wanted, not ${JSON.stringify(text)}`);
  return { host: host.replace(/^\[(.*)\]$/, "$1"), port: Number(digits) };
}

function isLoopback(address: string): boolean {
  const { host } = splitAddress(address);
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** "host:port" or "[ipv6]:port"; port 0 is one, too. */
export function isAddress(text: string): boolean {
  const digits = HOST_AND_PORT.exec(text)?.[2];
  return digits !== undefined && Number(digits) <= 65_535;
}

function placementOf(cgroups: File["qemu"]["cgroups"]): CgroupPlacement {
  if (cgroups !== "auto") return cgroups;
  const found = cgroupsEverywhere(readFileSync("/proc/self/mountinfo", "utf8"));
  if (found.length > 0) return found;
  throw new Error(
    "qemu.cgroups is auto, and no cgroup hierarchy under /sys/fs/cgroup may be written: mount the host's there, or list the directories",
  );
}

/** A password would stand in the log; collectors' credentials have a place of their own. */
function isCollector(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return ["http:", "https:"].includes(protocol) && username === "" && password === "";
}

function hostIdOf(name: string): string {
  const hostId = name.toLowerCase();
  if (isHostId(hostId)) return hostId;
  throw new Error(`host_id: this machine's name (${name}) cannot be a host id: set host_id`);
}
