/*
 * What the benchmark measures, and what each number must be. Times are milliseconds, memory is MB of
 * 10^6 bytes. A row with a floor is measured in pairs, turn by turn with something that does less:
 * its ratio is the middle one of the pairs' own, so that a machine that slows down slows both.
 */

export type Unit = "ms" | "MB" | "MB/s";

/** Of which number something is asked. */
export type Measure = "median" | "p95" | "max" | "ratio";

export interface Target {
  readonly measure: Measure;
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface Row {
  readonly title: string;
  readonly unit: Unit;
  /** What the floor is, if there is one. */
  readonly floor?: string;
  /** Undefined: measured to explain another row. */
  readonly target?: Target;
}

const BARE = "a bare driver";
const KILL = { measure: "p95", atMost: 50 } as const;

const table = {
  "outside-qemu": {
    title: "idle 256 MiB guest, the five steps less QEMU's own migration",
    unit: "ms",
    floor: BARE,
    target: { measure: "ratio", atMost: 2 },
  },
  wall: { title: "the same, the five steps", unit: "ms", floor: BARE },
  blackout: { title: "the same, STOP to RESUME", unit: "ms", floor: BARE },
  gate: { title: "the same, waiting to be let through the gate", unit: "ms", floor: BARE },
  "hand-over": {
    title: "the same, source completed to destination RESUME",
    unit: "ms",
    floor: BARE,
    target: { measure: "median", atMost: 5 },
  },
  "controller-killed-prepared": {
    title: "controller killed, guest prepared: reaped after",
    unit: "ms",
    target: KILL,
  },
  "controller-killed-receiving": {
    title: "controller killed, guest receiving: reaped after",
    unit: "ms",
    target: KILL,
  },
  "controller-killed-loaded": {
    title: "controller killed, guest loaded: reaped after",
    unit: "ms",
    target: KILL,
  },
  "controller-killed-five": {
    title: "controller killed, five guests prepared: the last reaped after",
    unit: "ms",
    target: KILL,
  },
  "controller-killed-five-loaded": {
    title: "controller killed, five guests loaded: the last reaped after",
    unit: "ms",
  },
  "agent-killed-prepared": {
    title: "destination agent killed, guest prepared: reaped after",
    unit: "ms",
    target: KILL,
  },
  "agent-killed-receiving": {
    title: "destination agent killed, guest receiving: reaped after",
    unit: "ms",
    target: KILL,
  },
  "agent-killed-loaded": {
    title: "destination agent killed, guest loaded: reaped after",
    unit: "ms",
    target: KILL,
  },
  "controller-frozen-1s-3s": {
    title: "controller frozen, keepalive 1 s / 3 s: reaped after",
    unit: "ms",
    target: { measure: "max", atMost: 4_200 },
  },
  "controller-frozen-2s-8s": {
    title: "controller frozen, keepalive 2 s / 8 s: reaped after",
    unit: "ms",
    target: { measure: "max", atMost: 10_200 },
  },
  "destination-frozen-qemu": {
    title: "destination's QEMU frozen at the switchover: source runs again after",
    unit: "ms",
    target: { measure: "max", atMost: 2_000 },
  },
  "destination-frozen-host": {
    title: "destination's QEMU and agent frozen: source runs again after",
    unit: "ms",
    target: { measure: "max", atMost: 2_000 },
  },
  "agent-restart-50": {
    title: "source agent restarted, 50 resident guests: all told of after its first line",
    unit: "ms",
    target: { measure: "p95", atMost: 1_000 },
  },
  "agent-restart-50-process": {
    title: "the same, after its process was started",
    unit: "ms",
  },
  "switchover-agent-restart": {
    title:
      "source agent killed with its guest at the gate: runs again after its successor's first line",
    unit: "ms",
    target: { measure: "p95", atMost: 500 },
  },
  tunnel: {
    title: "tunnel, 840 MiB of random memory",
    unit: "MB/s",
    floor: "direct, encrypted",
    target: { measure: "ratio", atLeast: 0.5 },
  },
  "tunnel-plain": {
    title: "tunnel, 840 MiB of random memory",
    unit: "MB/s",
    floor: "direct, in the clear",
  },
  drain: {
    title: "twenty guests of 256 MiB, 64 in use, leave a host, four at once",
    unit: "ms",
    floor: "bare drivers, four at once",
    target: { measure: "ratio", atMost: 1.3 },
  },
  "drain-blackout": {
    title: "the same, the longest blackout of any guest",
    unit: "ms",
    floor: "bare drivers, four at once",
  },
  "drain-empty": {
    title: "the same with guests of 32 MiB, hardly any in use",
    unit: "ms",
    floor: "bare drivers, four at once",
  },
  "drain-empty-blackout": {
    title: "the same, the longest blackout of any guest",
    unit: "ms",
    floor: "bare drivers, four at once",
  },
  "memory-pump": {
    title: "one end of a tunnel at full speed, at its peak",
    unit: "MB",
    target: { measure: "max", atMost: 160 },
  },
  "memory-source-idle": {
    title: "source agent, idle",
    unit: "MB",
    target: { measure: "max", atMost: 80 },
  },
  "memory-destination-idle": {
    title: "destination agent, idle",
    unit: "MB",
    target: { measure: "max", atMost: 80 },
  },
  "memory-per-guest": {
    title: "source agent, more for each resident guest",
    unit: "MB",
    target: { measure: "median", atMost: 1 },
  },
  "memory-keeper": { title: "a keeper", unit: "MB", target: { measure: "max", atMost: 2 } },
  "memory-source-growth": {
    title: "source agent, more after 200 migrations than after 100",
    unit: "MB",
    target: { measure: "max", atMost: 5 },
  },
  "memory-destination-growth": {
    title: "destination agent, more after 200 migrations than after 100",
    unit: "MB",
    target: { measure: "max", atMost: 5 },
  },
  "scrape-source": {
    title: "/metrics of a source agent with 200 guests, all of them leaving",
    unit: "ms",
    target: { measure: "p95", atMost: 50 },
  },
  "scrape-destination": {
    title: "/metrics of a destination agent with 200 tethers",
    unit: "ms",
    target: { measure: "p95", atMost: 50 },
  },
  "scrape-blocked": {
    title: "longest stretch for which such a scrape holds up everything else",
    unit: "ms",
    target: { measure: "p95", atMost: 20 },
  },
} as const satisfies Record<string, Row>;

export type RowId = keyof typeof table;
export const ROWS: Readonly<Record<RowId, Row>> = table;
export const ROW_IDS = Object.keys(table) as readonly RowId[]; // keys of a literal
