/*
 * The outgoing side of a migration. QEMU stops the guest at the gate (`pre-switchover`) and waits
 * for `migrate-continue`; it resumes the guest by itself when the copy fails or is cancelled before
 * `completed`, and never after.
 */
import type { Qmp, QmpEvent } from "@ferry/qmp";
import {
  addCredentials,
  CREDENTIALS,
  dropCredentials,
  setCapabilities,
  setParameters,
} from "./capabilities.js";
import { type Endpoint, keyDirOf, toUri } from "./endpoint.js";
import { lookOutgoing, type Outgoing } from "./outgoing-look.js";

/** `return-path`: `completed` means that the destination has everything, not that it was sent. */
const WANTED = ["events", "return-path", "pause-before-switchover"] as const;

/** As good as unlimited (1 TiB/s), and a number that every QEMU takes. */
const BANDWIDTH_UNLIMITED = 2 ** 40;
const BANDWIDTH_MIN = 10;
/** A QEMU that is busy must not hold up those that share a budget with it. */
const BANDWIDTH_TIMEOUT_MS = 1_000;
/** QEMU's own defaults (migration/options.c): what is put back. */
const BANDWIDTH_DEFAULT = 128 * 1024 * 1024;
const DOWNTIME_LIMIT_DEFAULT_MS = 300;
/** An out-of-band answer takes a millisecond; one that takes longer will not come. */
const YANK_TIMEOUT_MS = 2_000;

export interface OutgoingOptions {
  readonly to: Endpoint;
  /** 0: as fast as the network goes. */
  readonly bandwidthBytesPerSecond: number;
}

export type OutgoingNews =
  /** QEMU begins to go through the guest's memory for the `pass`-th time, counted from 1. */
  | { readonly kind: "pass"; readonly pass: number }
  /** QEMU stopped the guest for the switchover; host's wall clock, microseconds since 1970. */
  | { readonly kind: "stopped"; readonly atUs: number }
  /** The guest stands at the gate until `continueOutgoing` or `cancelOutgoing`. */
  | { readonly kind: "gate" }
  /** Over, in QEMU's word: "completed", "failed" or "cancelled". */
  | { readonly kind: "ended"; readonly status: string };

/**
 * Sets what nearly every copy needs, wherever it goes: with a key, and as fast as the network goes.
 * Nothing moves yet, and nobody is dialled.
 */
export async function presetOutgoing(
  qmp: Qmp,
  { downtimeLimitMs }: { downtimeLimitMs: number },
): Promise<void> {
  await Promise.all([
    setCapabilities(qmp, WANTED),
    setParameters(qmp, {
      "tls-creds": CREDENTIALS.client,
      "max-bandwidth": BANDWIDTH_UNLIMITED,
      "downtime-limit": downtimeLimitMs,
    }),
  ]);
}

/** Sets what this copy needs, after `presetOutgoing`. Still nothing moves. */
export async function readyOutgoing(qmp: Qmp, options: OutgoingOptions): Promise<void> {
  const keyDir = keyDirOf(options.to);
  if (keyDir === undefined) await setParameters(qmp, { "tls-creds": "" });
  else await addCredentials(qmp, "client", keyDir);
  const { bandwidthBytesPerSecond } = options;
  if (bandwidthBytesPerSecond <= 0) return;
  await setParameters(qmp, { "max-bandwidth": toMaxBandwidth(bandwidthBytesPerSecond) });
}

/** Begins to send. The copy goes on without us: `watchOutgoing` and `lookOutgoing` tell how. */
export async function beginOutgoing(qmp: Qmp, to: Endpoint): Promise<void> {
  await qmp.execute("migrate", { uri: toUri(to) });
}

/** Tells what happens to the copy. Answers how to stop it. */
export function watchOutgoing(qmp: Qmp, tell: (news: OutgoingNews) => void): () => void {
  let stoppedAtUs: number | undefined;
  const hear = ({ event, data, timestamp }: QmpEvent) => {
    switch (event) {
      case "STOP":
        // It may as well be a disk's error or an operator: the gate, which follows, makes it ours.
        stoppedAtUs = timestamp.seconds * 1e6 + timestamp.microseconds;
        break;
      case "RESUME":
        stoppedAtUs = undefined;
        break;
      case "MIGRATION_PASS":
        tell({ kind: "pass", pass: Number(data.pass) });
        break;
      case "MIGRATION":
        if (SWITCHING.has(String(data.status)) && stoppedAtUs !== undefined) {
          tell({ kind: "stopped", atUs: stoppedAtUs });
          stoppedAtUs = undefined; // told once
        }
        if (data.status === "pre-switchover") tell({ kind: "gate" });
        if (ENDED.has(String(data.status))) tell({ kind: "ended", status: String(data.status) });
        break;
    }
  };
  qmp.on("event", hear);
  return () => qmp.off("event", hear);
}

const SWITCHING: ReadonlySet<string> = new Set(["pre-switchover", "device", "completed"]);
const ENDED: ReadonlySet<string> = new Set(["completed", "failed", "cancelled"]);

/** Through the gate: sends the rest. Throws QmpError if the copy does not stand there any more. */
export async function continueOutgoing(qmp: Qmp): Promise<void> {
  await qmp.execute("migrate-continue", { state: "pre-switchover" });
}

/** Of the copy under way, at once. 0: as fast as the network goes. Throws if QEMU does not answer soon. */
export async function setBandwidth(qmp: Qmp, bandwidthBytesPerSecond: number): Promise<void> {
  const parameters = { "max-bandwidth": toMaxBandwidth(bandwidthBytesPerSecond) };
  await qmp.execute("migrate-set-parameters", parameters, { timeoutMs: BANDWIDTH_TIMEOUT_MS });
}

/**
 * In bytes per second, as `migrate-set-parameters` takes it. QEMU keeps to a tenth of it in every 100 ms
 * (migration/migration.h: XFER_LIMIT_RATIO), and takes a tenth that is 0 for no limit at all.
 */
function toMaxBandwidth(bandwidthBytesPerSecond: number): number {
  if (bandwidthBytesPerSecond <= 0) return BANDWIDTH_UNLIMITED;
  return Math.min(
    BANDWIDTH_UNLIMITED,
    Math.max(BANDWIDTH_MIN, Math.floor(bandwidthBytesPerSecond)),
  );
}

export async function setDowntimeLimit(qmp: Qmp, downtimeLimitMs: number): Promise<void> {
  await setParameters(qmp, { "downtime-limit": downtimeLimitMs });
}

/**
 * Cancels the copy and waits until QEMU says how it ended; QEMU lets the guest run on by itself.
 * Throws if that takes longer than `timeoutMs` (then `yankOutgoing`), and in post-copy, where an
 * older QEMU would obey and leave two halves of a guest.
 */
export async function cancelOutgoing(
  qmp: Qmp,
  { timeoutMs }: { timeoutMs: number },
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  const left = () => Math.max(1, deadline - performance.now());
  const before = await lookOutgoing(qmp, { timeoutMs: left() });
  if (before.state === "postcopy") {
    throw new Error("a guest that runs at the destination already cannot be cancelled here");
  }
  if (SETTLED.has(before.state)) return;
  const ended = new Promise<void>((resolve) => {
    const stopWatching = watchOutgoing(qmp, ({ kind }) => {
      if (kind === "ended") done();
    });
    const timer = setTimeout(() => done(), left());
    function done() {
      stopWatching();
      clearTimeout(timer);
      resolve();
    }
  });
  await qmp.execute("migrate_cancel", undefined, { timeoutMs: left() });
  await ended;
  const { state } = await lookOutgoing(qmp, { timeoutMs: left() });
  if (!SETTLED.has(state))
    throw new Error(`the cancelled copy is still ${state} after ${timeoutMs} ms`);
}

const SETTLED: ReadonlySet<Outgoing["state"]> = new Set([
  "none",
  "completed",
  "failed",
  "cancelled",
]);

/**
 * Tears the migration's connection down, out of band: it works while QEMU's main loop waits for a
 * peer that froze, and frees the guest within milliseconds. Only between STOP and `completed`.
 */
export async function yankOutgoing(qmp: Qmp): Promise<void> {
  const instances = [{ type: "migration" }];
  await qmp.execute("yank", { instances }, { oob: true, timeoutMs: YANK_TIMEOUT_MS });
}

/** Sets QEMU as if there had been no migration. Throws QmpError while one is under way. */
export async function putBackOutgoing(qmp: Qmp): Promise<void> {
  await setCapabilities(qmp, []);
  await setParameters(qmp, {
    "tls-creds": "",
    "tls-hostname": "",
    "max-bandwidth": BANDWIDTH_DEFAULT,
    "downtime-limit": DOWNTIME_LIMIT_DEFAULT_MS,
  });
  await dropCredentials(qmp, "client");
}
