/*
 * Moves a guest. The walk starts at once; its events may be read or not, and `result` says what
 * became of the guest. A migration that was begun always resolves, with a verdict or with `pending`;
 * one that was refused at Begin rejects with MigrationRefused, and nothing has changed anywhere.
 */
import { randomUUID } from "node:crypto";
import { TIMEOUT_MAX_MS } from "@ferry/contract";
import { BOUNDS, type Bounds } from "./bounds.js";
import type { Host } from "./host.js";
import type { MigrationEvent, Outcome } from "./outcome.js";
import type { Transport } from "./transport.js";
import { Walk } from "./walk.js";

export interface MigrateOptions {
  readonly guestId: string;
  readonly from: Host;
  readonly to: Host;
  /** Undefined: direct, encrypted. */
  readonly transport?: Transport | undefined;
  /** Which of the destination's networks the memory arrives on, by name or address. Undefined: its default. */
  readonly network?: string | undefined;
  /** Longest blackout at which QEMU may switch over, in milliseconds. Undefined: the agent's 300. */
  readonly downtimeLimitMs?: number | undefined;
  /** Undefined: no limit. */
  readonly bandwidthBytesPerSecond?: number | undefined;
  /**
   * The migration is ended, and the guest stays at the source, unless custody was given away within
   * this time, in milliseconds; at most 24 days. The source keeps it, even if this process dies or the
   * agent restarts. Undefined: no such limit.
   */
  readonly timeoutMs?: number | undefined;
  /** Sends a heartbeat on the tether this often, in milliseconds; for callers behind an L7 proxy. */
  readonly heartbeatMs?: number | undefined;
  /** Ends the migration cleanly, if it is not too late. */
  readonly signal?: AbortSignal | undefined;
  /** A UUID that was never used. Undefined: a new one. */
  readonly migrationId?: string | undefined;
  /**
   * Your span, as W3C's traceparent: both agents log and trace this migration under it. Undefined: under
   * the one the hosts were connected with, or else a trace whose id is the migration's, without dashes. A
   * broken one is as good as none.
   */
  readonly traceparent?: string | undefined;
  readonly bounds?: Partial<Bounds>;
}

function checkTimeout(timeoutMs: number | undefined): number | undefined {
  if (timeoutMs === undefined) return undefined;
  const whole = Math.round(timeoutMs);
  if (whole >= 1 && whole <= TIMEOUT_MAX_MS) return whole;
  throw new RangeError(`timeoutMs: 1 to ${TIMEOUT_MAX_MS} (24 days) is wanted, not ${timeoutMs}`);
}

/** What no agent could be told: a number that does not fit would break every call that carries it. */
function checkWhole(name: string, value: number | undefined, most: number): number {
  const whole = Math.round(value ?? 0);
  if (whole >= 0 && whole <= most) return whole;
  throw new RangeError(`${name}: 0 to ${most} is wanted, not ${value}`);
}

/** A migration under way: its events, and its result. */
export interface MigrationRun extends AsyncIterable<MigrationEvent> {
  readonly migrationId: string;
  readonly result: Promise<Outcome>;
}

const UINT32_MAX = 2 ** 32 - 1;

/** Starts at once. Throws RangeError if a number makes no sense. */
export function migrate(options: MigrateOptions): MigrationRun {
  const migrationId = options.migrationId ?? randomUUID();
  const walk = new Walk({
    migrationId,
    guestId: options.guestId,
    from: options.from,
    to: options.to,
    transport: options.transport,
    network: options.network ?? "",
    downtimeLimitMs: checkWhole("downtimeLimitMs", options.downtimeLimitMs, UINT32_MAX),
    bandwidthBytesPerSecond: checkWhole(
      "bandwidthBytesPerSecond",
      options.bandwidthBytesPerSecond,
      Number.MAX_SAFE_INTEGER,
    ),
    timeoutMs: checkTimeout(options.timeoutMs),
    heartbeatMs: checkWhole("heartbeatMs", options.heartbeatMs, UINT32_MAX),
    signal: options.signal,
    traceparent: options.traceparent,
    bounds: { ...BOUNDS, ...options.bounds },
  });
  walk.start();
  return {
    migrationId,
    result: walk.result,
    [Symbol.asyncIterator]: () => walk.feed[Symbol.asyncIterator](),
  };
}
