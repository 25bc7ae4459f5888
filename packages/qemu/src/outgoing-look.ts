/* What QEMU says of its outgoing migration, the last one or the one under way. */
import type { Qmp } from "@ferry/qmp";

/** QEMU's migration states (qapi/migration.json), as far as they ask for different deeds. */
export type OutgoingState =
  | "none" // there never was one
  | "setup"
  | "active"
  | "gate" // pre-switchover: the guest stands still until we say on
  | "device" // the last bytes go; the guest stands still
  | "postcopy" // the guest may run at the destination
  | "cancelling"
  | "completed" // the guest stands still for good, unless somebody says `cont`
  | "failed" // QEMU has let the guest run on
  | "cancelled" // QEMU has let the guest run on
  | "unknown"; // a newer QEMU's word

export interface Outgoing {
  readonly state: OutgoingState;
  /** QEMU's own word. */
  readonly status: string;
  readonly transferredBytes: number;
  readonly remainingBytes: number;
  readonly totalBytes: number;
  /** How often QEMU has begun to go through the guest's memory. */
  readonly iteration: number;
  readonly dirtyBytesPerSecond: number;
  readonly transferBytesPerSecond: number;
  /** QEMU's own measure of the blackout, once it is over; 0 before. */
  readonly downtimeMs: number;
  /** What QEMU thinks the blackout would be now. */
  readonly expectedDowntimeMs: number;
  /** Why it failed, in QEMU's words; empty if it did not say. */
  readonly errorDescription: string;
}

const STATES: Readonly<Record<string, OutgoingState>> = {
  none: "none",
  setup: "setup",
  "wait-unplug": "setup",
  active: "active",
  colo: "active",
  "pre-switchover": "gate",
  device: "device",
  "postcopy-device": "device", // 10.2: the destination loads, and has not said that it runs
  "postcopy-active": "postcopy",
  "postcopy-paused": "postcopy",
  "postcopy-recover": "postcopy",
  "postcopy-recover-setup": "postcopy",
  cancelling: "cancelling",
  completed: "completed",
  failed: "failed",
  cancelled: "cancelled",
};

const BYTES_PER_MEGABIT = 1e6 / 8;
/** QEMU fills in its times a moment after it says `completed`; so it is asked again at once. */
const ASKED_AGAIN_MAX = 5;

/** qapi/migration.json: MigrationInfo, as far as it is read here. Everything may be absent. */
interface MigrationInfo {
  readonly status?: string;
  readonly ram?: Readonly<Record<string, number>>;
  readonly "total-time"?: number;
  readonly "setup-time"?: number;
  readonly downtime?: number;
  readonly "expected-downtime"?: number;
  readonly "error-desc"?: string;
  readonly "blocked-reasons"?: readonly string[];
}

export async function lookOutgoing(qmp: Qmp, options?: { timeoutMs: number }): Promise<Outgoing> {
  const info = await query(qmp, options);
  const ram = info.ram ?? {};
  const status = info.status ?? "none";
  return {
    state: STATES[status] ?? "unknown",
    status,
    transferredBytes: ram.transferred ?? 0,
    remainingBytes: ram.remaining ?? 0,
    totalBytes: ram.total ?? 0,
    iteration: ram["dirty-sync-count"] ?? 0,
    dirtyBytesPerSecond: (ram["dirty-pages-rate"] ?? 0) * (ram["page-size"] ?? 0),
    transferBytesPerSecond: (ram.mbps ?? 0) * BYTES_PER_MEGABIT,
    downtimeMs: info.downtime ?? 0,
    expectedDowntimeMs: info["expected-downtime"] ?? 0,
    errorDescription: info["error-desc"] ?? "",
  };
}

/**
 * Names the last migration QEMU knows of, so that it is not taken for the next one's end. The same
 * text as long as no other migration has begun; for an agent that restarts, too.
 */
export async function fingerprintOutgoing(qmp: Qmp): Promise<string> {
  const info = await query(qmp);
  return [
    info.status ?? "none",
    info["total-time"] ?? "",
    info["setup-time"] ?? "",
    info.downtime ?? "",
    info.ram?.transferred ?? "",
    info["error-desc"] ?? "",
  ].join(" ");
}

/** Why QEMU would refuse to migrate this guest, in its own words; empty if it would not. */
export async function migrationBlockers(qmp: Qmp): Promise<string[]> {
  return [...((await query(qmp))["blocked-reasons"] ?? [])];
}

async function query(qmp: Qmp, options?: { timeoutMs: number }): Promise<MigrationInfo> {
  for (let asked = 0; ; asked += 1) {
    const info = (await qmp.execute("query-migrate", undefined, options)) as MigrationInfo;
    // A guest that arrived here says `completed` of its arrival, which has no numbers and never will.
    const unfinished = info.status === "completed" && info.ram !== undefined && !info["total-time"];
    if (!unfinished || asked === ASKED_AGAIN_MAX) return info;
  }
}
