/* Why a guest did not land, out of the first thing heard that explains it. */
import type { FaultRead } from "@ferry/contract";
import type { Heard } from "./decide.js";
import type { Why } from "./outcome.js";
import type { RowId } from "./rows.js";

/** What was heard, with everything that came with it. */
export type Told = Heard & {
  readonly fault?: FaultRead | undefined;
  readonly message?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: string | undefined;
  /** UPPER_SNAKE, where the agent gave one that is no fault (PerformFailed.reason). */
  readonly reason?: string | undefined;
};

/** What a row blames where nobody gave a reason. */
const BLAME: Partial<Record<RowId, string>> = {
  "caller-abort": "ABORTED",
  "prepare-unreachable": "DESTINATION_UNREACHABLE",
  "prepare-silence": "CONNECTION_LOST",
  "prepare-timeout": "TIMEOUT",
  "tether-lost": "CONNECTION_LOST",
  "tether-lost-ordered": "CONNECTION_LOST",
  "tether-returned": "TETHER_CUT",
  "tether-returned-early": "TETHER_CUT",
  "perform-timeout": "TIMEOUT",
  "finish-returned": "DISCARDED",
  "finish-timeout": "TIMEOUT",
  "confirm-returned": "DISCARDED",
};

/** Rows that explain nothing: they follow from something that did. */
const CONSEQUENCES: ReadonlySet<RowId> = new Set(["withdrawn", "verdict-known", "confirm-open"]);

/** What the source decides by itself. The destination's end, which follows from it, is often heard before it. */
const DECISIONS: ReadonlySet<string> = new Set([
  "ABORTED",
  "MIGRATION_TIMEOUT",
  "SWITCHOVER_TIMEOUT",
  "STATE_DIRECTORY_UNWRITABLE",
]);

/** The first explanation wins, unless it was the consequence of a later one. */
export function betterWhy(known: Why | undefined, heard: Why | undefined): Why | undefined {
  if (known === undefined || heard === undefined) return known ?? heard;
  const follows =
    known.reason === "TETHER_CUT" && known.cause !== undefined && FOLLOWS.has(known.cause);
  return follows && DECISIONS.has(heard.reason) ? heard : known;
}

/** How a destination's copy ends when its source gives the migration up. */
const FOLLOWS: ReadonlySet<string> = new Set(["qemu_died", "recalled", "abandoned"]);

/** Undefined: nothing went wrong here. */
export function whyOf(row: RowId, told: Told): Why | undefined {
  const decided = told.reason !== undefined && DECISIONS.has(told.reason);
  if ((CONSEQUENCES.has(row) && !decided) || told.verdict === "landed" || told.word === "again")
    return undefined;
  const reason = told.reason || told.fault?.reason || BLAME[row];
  if (reason === undefined) return undefined;
  return {
    reason,
    description: told.message || describe(reason, told.cause),
    cause: told.cause ?? told.fault?.cause,
    blockers: told.fault?.blockers.length ? told.fault.blockers : undefined,
  };
}

function describe(reason: string, cause: string | undefined): string {
  if (cause !== undefined)
    return `the destination discarded the guest: ${cause.replaceAll("_", " ")}`;
  if (reason === "ABORTED") return "the caller aborted the migration";
  if (reason === "TIMEOUT") return "no answer within the limit";
  return "the destination discarded the guest";
}
