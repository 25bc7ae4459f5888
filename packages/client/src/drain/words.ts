/* What a drain is told, and what it tells: the words of all the files here. */
import type { Blocker } from "@ferry/contract";
import type { Host } from "../host.js";
import type { Outcome } from "../outcome.js";

/** A host with the name its operator knows it by. */
export interface NamedHost {
  readonly name: string;
  readonly host: Host;
}

/** A guest of the host that is to be emptied, as both ends judge it. */
export interface SurveyedGuest {
  readonly guestId: string;
  /** "running", "paused", … */
  readonly state: string;
  readonly memoryBytes: number;
  /** What stands in the way where it lives. */
  readonly here: readonly Blocker[];
  /** What stands in the way at each target that was asked. */
  readonly there: ReadonlyMap<string, readonly Blocker[]>;
}

export interface SurveyedTarget {
  readonly name: string;
  /** Memory that arriving guests may still claim, in bytes. */
  readonly memoryFreeBytes: number;
  /** How many guests may arrive there at once: its own limit, or its ports if they are fewer. */
  readonly slots: number;
  /** Why nothing can go there now; undefined: it takes guests. */
  readonly trouble: string | undefined;
}

/** Everything a plan is made of. */
export interface Survey {
  readonly from: string;
  /** How many guests may leave at once. */
  readonly slots: number;
  readonly guests: readonly SurveyedGuest[];
  readonly targets: readonly SurveyedTarget[];
  /** Migrations that are on their way to the host: they will be its guests. */
  readonly arriving: number;
}

/** Which moves begin first: `largest` empties the host soonest, `smallest` gets most guests away early. */
export type DrainOrder = "largest" | "smallest";

export interface PlanOptions {
  /** Moves under way at once. */
  readonly parallel: number;
  readonly order: DrainOrder;
  /** What all copies together may take, in bytes per second; undefined: no limit. */
  readonly bandwidthBytesPerSecond?: number | undefined;
  /** Guests that stay. */
  readonly except: ReadonlySet<string>;
}

export interface PlannedMove {
  readonly guestId: string;
  readonly state: string;
  readonly memoryBytes: number;
  readonly to: string;
  /** Other targets that would take it. */
  readonly others: readonly string[];
  /** From the drain's start to this move's, and how long it takes; foretold, in milliseconds. */
  readonly startsAtMs: number;
  readonly takesMs: number;
  /** Why it may have to wait first, in words; undefined: it need not. */
  readonly waitsFor: string | undefined;
}

/** What stands in a guest's way, and on which host. */
export interface Obstacle {
  readonly host: string;
  readonly blocker: Blocker;
}

/**
 * Why a guest is left: its operator's choice; its own host will not let it go; no target takes it; every
 * try failed; the drain was ended before its turn; or nobody knows yet where it is.
 */
export type LeftReason =
  | "excluded"
  | "blocked"
  | "no-target"
  | "failed"
  | "ended"
  | "pending"
  | "perished";

export interface LeftGuest {
  readonly guestId: string;
  readonly reason: LeftReason;
  /** A sentence for people. */
  readonly description: string;
  /** All the evidence. */
  readonly obstacles: readonly Obstacle[];
  /** The migration to ask about, where there was one. */
  readonly migrationId?: string | undefined;
  /** What to do next, as an order. */
  readonly next: string;
}

export interface PlannedTarget {
  readonly name: string;
  readonly guests: number;
  readonly memoryFreeBytes: number;
  readonly memoryAfterBytes: number;
  readonly slots: number;
  readonly trouble: string | undefined;
}

export interface DrainPlan {
  readonly from: string;
  /** Moves at once: what was asked for, within what the agents allow. */
  readonly parallel: number;
  /** In the order in which they begin. */
  readonly moves: readonly PlannedMove[];
  readonly left: readonly LeftGuest[];
  readonly targets: readonly PlannedTarget[];
  /** Migrations on their way to the host when it was looked at. */
  readonly arriving: number;
  /** The whole drain, foretold, in milliseconds. */
  readonly takesMs: number;
}

export interface MovedGuest {
  readonly guestId: string;
  readonly to: string;
  readonly migrationId: string;
  readonly blackoutMs: number | undefined;
  readonly durationMs: number;
  /** How it stands there, e.g. "running"; undefined if nobody said in time. */
  readonly state: string | undefined;
  /** How many tries it took. */
  readonly tries: number;
  /** True: nothing is left of it on its old host. */
  readonly settled: boolean;
}

/** A guest that is being moved, as it is now. */
export interface Moving {
  readonly guestId: string;
  readonly to: string;
  readonly migrationId: string;
  /** Phase of the source's table. */
  readonly phase: string;
  /** Of its copy, 0 to 1. */
  readonly ratio: number;
  readonly transferBytesPerSecond: number;
}

export interface DrainProgress {
  /** Guests that were to be moved so far, moved, under way, waiting for their turn, left. */
  readonly guests: number;
  readonly moved: number;
  readonly moving: readonly Moving[];
  readonly waiting: number;
  readonly left: number;
  /** Share of the memory that was moved, 0 to 1; it never falls. */
  readonly ratio: number;
  /** Until the host is empty, learned from what was moved so far, in milliseconds. */
  readonly etaMs: number;
  readonly state: DrainState;
}

/** `ending`: no more moves begin, those under way end as they will. `aborting`: they are being ended. */
export type DrainState = "running" | "paused" | "ending" | "aborting";

export interface DrainReport {
  readonly from: string;
  /** True: no guest is left on the host, and none is on its way there. */
  readonly empty: boolean;
  readonly moved: readonly MovedGuest[];
  readonly left: readonly LeftGuest[];
  /** Guests that went by other hands, or ended, while the drain was under way. */
  readonly gone: readonly string[];
  readonly durationMs: number;
  /** The longest any guest stood still, in milliseconds; undefined: none moved, or nobody could tell. */
  readonly blackoutMaxMs: number | undefined;
  /** What to do next, as orders; empty: nothing. */
  readonly next: readonly string[];
}

export type DrainEvent =
  /** One for each look at the host: the first is the plan, later ones are of what has come since. */
  | { readonly kind: "plan"; readonly plan: DrainPlan }
  | {
      readonly kind: "started";
      readonly guestId: string;
      readonly to: string;
      readonly migrationId: string;
      readonly attempt: number;
    }
  /** How everything stands. An older one that nobody has read is replaced. */
  | { readonly kind: "progress"; readonly progress: DrainProgress }
  | { readonly kind: "moved"; readonly moved: MovedGuest }
  /** A try came to nothing; the guest runs on where it was, and is tried again. */
  | {
      readonly kind: "retry";
      readonly guestId: string;
      readonly to: string;
      readonly migrationId: string;
      readonly reason: string;
      readonly description: string;
      readonly obstacles: readonly Obstacle[];
      /** What follows. */
      readonly next: string;
    }
  | { readonly kind: "left"; readonly left: LeftGuest }
  | { readonly kind: "gone"; readonly guestId: string }
  | { readonly kind: "state"; readonly state: DrainState }
  | { readonly kind: "waiting"; readonly message: string }
  /** The last event. */
  | { readonly kind: "report"; readonly report: DrainReport };

/** A migration's end, or the refusal to begin it. */
export type Ending =
  | { readonly outcome: Outcome }
  | {
      readonly refused: {
        readonly reason: string;
        readonly description: string;
        readonly blockers: readonly Blocker[];
        readonly retryAfterMs: number | undefined;
      };
    };
