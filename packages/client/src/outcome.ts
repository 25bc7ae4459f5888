/* What became of a migration, and what a migration tells while it is under way. */
import type { Blocker, FaultRead, Progress } from "@ferry/contract";
import type { Call, FinalVerdict } from "./decide.js";
import { ROWS, type RowId } from "./rows.js";

export type Verdict = FinalVerdict | "pending";

/** Why a guest did not land. The first reason wins: the others are its consequences. */
export interface Why {
  /** UPPER_SNAKE: a fault's reason, a failure's, a cause, or one of ABORTED, CONNECTION_LOST, TIMEOUT. */
  readonly reason: string;
  /** A sentence for people. */
  readonly description: string;
  /** Why the arriving guest was discarded, in lower case, if the destination said so. */
  readonly cause?: string | undefined;
  readonly blockers?: readonly Blocker[] | undefined;
}

/** A migration's end. */
export interface Outcome {
  readonly migrationId: string;
  readonly guestId: string;
  readonly verdict: Verdict;
  /** True: nothing more will happen at the source. False: the agents are still settling it. */
  readonly settled: boolean;
  /** Where the guest is, by that verdict. Unknown: do nothing to it. */
  readonly guestAt: "source" | "destination" | "unknown";
  /** How it stands there, e.g. "running"; undefined if that agent did not say in time. */
  readonly guestState: string | undefined;
  /** Why it did not land; undefined if it did. */
  readonly why: Why | undefined;
  /** The guest's blackout, STOP on the source to RESUME on the destination, in milliseconds by the hosts' clocks. */
  readonly blackoutMs: number | undefined;
  /** The blackout as the source's QEMU saw it, in milliseconds. */
  readonly qemuDowntimeMs: number | undefined;
  /** From Begin to this outcome, in milliseconds. */
  readonly durationMs: number;
  /** The row of docs/controller.md that ended it. */
  readonly row: RowId;
  /** What its reader must do next. */
  readonly next: string;
}

/** How far the copy is, in plain numbers: bytes, bytes per second, milliseconds. */
export interface ProgressNow {
  readonly transferredBytes: number;
  readonly remainingBytes: number;
  readonly totalBytes: number;
  readonly dirtyBytesPerSecond: number;
  readonly transferBytesPerSecond: number;
  /** Pass over the guest's memory, counted from 1. */
  readonly iteration: number;
  /** 0 to 1. It never runs backwards. */
  readonly ratio: number;
  /** Until switchover; undefined: it does not converge, or is not known yet. */
  readonly etaMs: number | undefined;
  readonly expectedDowntimeMs: number;
}

export function progressNow(wire: Progress): ProgressNow {
  return {
    transferredBytes: Number(wire.transferredBytes),
    remainingBytes: Number(wire.remainingBytes),
    totalBytes: Number(wire.totalBytes),
    dirtyBytesPerSecond: Number(wire.dirtyBytesPerSecond),
    transferBytesPerSecond: Number(wire.transferBytesPerSecond),
    iteration: wire.iteration,
    ratio: wire.ratio,
    etaMs: wire.eta === undefined ? undefined : Number(wire.eta.value),
    expectedDowntimeMs: Number(wire.expectedDowntimeMs),
  };
}

/** What a migration tells while it is under way. */
export type MigrationEvent =
  /** Something was heard, and a row of docs/controller.md says what follows. */
  | {
      readonly kind: "decision";
      readonly row: RowId;
      readonly call: Call;
      readonly next: string;
      /** What was heard in its speaker's own words, if it had any. */
      readonly message: string | undefined;
    }
  /** The phase of one end's table changed. For people. */
  | { readonly kind: "phase"; readonly role: "source" | "destination"; readonly phase: string }
  | { readonly kind: "progress"; readonly progress: ProgressNow }
  | { readonly kind: "warning"; readonly message: string }
  /** The tether is held although the source is silent: letting go would kill what may be the only copy. */
  | { readonly kind: "holding"; readonly message: string }
  /** The last event. */
  | { readonly kind: "outcome"; readonly outcome: Outcome };

/** Nothing was begun, and nothing has changed anywhere. */
export class MigrationRefused extends Error {
  override readonly name = "MigrationRefused";

  constructor(
    readonly row: RowId,
    /** What the source agent said; undefined if it said nothing. */
    readonly fault: FaultRead | undefined,
    message: string,
  ) {
    super(message);
  }

  /** What the caller must do now. */
  get next(): string {
    return this.fault?.next ?? ROWS[this.row].next;
  }
}
