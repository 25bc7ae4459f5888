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

/** Undefined: nothing went wrong here. */
export function whyOf(row: RowId, told: Told): Why | undefined {
  if (CONSEQUENCES.has(row) || told.verdict === "landed" || told.word === "again") return undefined;
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
