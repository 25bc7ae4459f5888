/*
 * What a controller knows, what it hears, and which row of rows.ts follows. Nothing here touches
 * anything: the walk (walk.ts) makes the calls and tells what came of them.
 */
import type { Move, RowId } from "./rows.js";

export type FinalVerdict = "landed" | "returned" | "perished";

/** Words every call may hear in place of an answer. */
type Trouble =
  | "silence" // no answer, or one that no agent gave: it proves nothing
  | "again" // a fault that says when to repeat the call
  | "unknown" // MIGRATION_UNKNOWN
  | "over" // MIGRATION_OVER (or TETHER_CUT), with its verdict
  | "held" // TETHER_HELD
  | "refused" // any other fault
  | "timeout"; // my own limit for this call is over

/** What may be heard, by who says it. */
export interface Words {
  begin: "ok" | Trouble;
  prepare: "accepted" | "ok" | "unreachable" | Trouble;
  tether: "news" | "met" | "landed" | "returned" | "perished" | "lost";
  perform: "bound" | "progress" | "released" | "failed" | Trouble;
  finish: FinalVerdict | "pending" | Trouble;
  abandon: FinalVerdict | "pending" | Trouble;
  abort: "aborted" | "underWay" | "tooLate" | Trouble;
  confirm: FinalVerdict | "pending" | Trouble;
  caller: "abort";
}

export type Call = keyof Words;

/** One thing heard. */
export type Heard = {
  [C in Call]: {
    readonly call: C;
    readonly word: Words[C];
    /** The verdict that came with it, if one did. */
    readonly verdict?: FinalVerdict | undefined;
  };
}[Call];

/** All a controller has to remember in order to decide. */
export interface Known {
  /** What may be on the destination: nothing for certain, perhaps something, a prepared guest. */
  readonly there: "nothing" | "perhaps" | "prepared";
  /** Perform was called, so the source is bound to hear of the destination by itself. */
  readonly performed: boolean;
  /** Finish(land) was sent. */
  readonly ordered: boolean;
  /** Finish(land) is still being asked. */
  readonly finishing: boolean;
  /** Abort or Finish(abandon) was chosen: landing is no longer asked for. */
  readonly withdrawing: boolean;
  /** Abort or Finish(abandon) is still being asked. */
  readonly ending: boolean;
  /** The destination's copy may be whole: its phase is past `receiving`. */
  readonly whole: boolean;
  /** The source said that it keeps the guest, so no landing can follow. */
  readonly kept: boolean;
  /** Confirm is, or was, asked. */
  readonly confirming: boolean;
  /** Confirm had no answer that helps. */
  readonly confirmOver: boolean;
  /** What the destination said, whoever told it. */
  readonly verdict: FinalVerdict | undefined;
}

export const NOTHING_KNOWN: Known = {
  there: "nothing",
  performed: false,
  ordered: false,
  finishing: false,
  withdrawing: false,
  ending: false,
  whole: false,
  kept: false,
  confirming: false,
  confirmOver: false,
  verdict: undefined,
};

type Cell = RowId | ((known: Known, verdict: FinalVerdict | undefined) => RowId);

const overAtPrepare: Cell = (_known, verdict) =>
  verdict === "landed" || verdict === "perished" ? "prepare-over-landed" : "prepare-over";
const overAtPerform: Cell = (_known, verdict) =>
  verdict === "landed" || verdict === "perished" ? "perform-over-landed" : "perform-over";
const performRefused: Cell = ({ ordered }) =>
  ordered ? "perform-refused-ordered" : "perform-refused";
const nobodyConfirms: Cell = ({ verdict, kept, finishing, ending }) => {
  if (verdict !== undefined || kept) return "confirm-later";
  return finishing || ending ? "confirm-open" : "both-silent";
};
const finishSilent =
  (row: RowId): Cell =>
  ({ confirmOver }) =>
    confirmOver ? "both-silent" : row;
const afterAbort =
  (row: RowId): Cell =>
  ({ there }) =>
    there === "nothing" ? "abort-early" : row;

/** Leave one cell out and it does not compile. */
const TABLE: { readonly [C in Call]: { readonly [W in Words[C]]: Cell } } = {
  begin: {
    ok: "begin-ok",
    again: "begin-again",
    silence: "begin-silence",
    over: "begin-over",
    unknown: "begin-refused",
    held: "begin-refused",
    refused: "begin-refused",
    timeout: "begin-timeout",
  },
  prepare: {
    accepted: "prepare-accepted",
    ok: "prepare-ok",
    unreachable: "prepare-unreachable",
    again: "prepare-again",
    silence: "prepare-silence",
    held: "prepare-held",
    over: overAtPrepare,
    unknown: "prepare-refused",
    refused: "prepare-refused",
    timeout: "prepare-timeout",
  },
  tether: {
    news: "tether-news",
    met: "tether-met",
    landed: "tether-landed",
    returned: ({ performed }) => (performed ? "tether-returned" : "tether-returned-early"),
    perished: "tether-perished",
    lost: ({ ordered }) => (ordered ? "tether-lost-ordered" : "tether-lost"),
  },
  perform: {
    bound: "perform-bound",
    progress: "perform-progress",
    released: "perform-released",
    failed: "perform-failed",
    again: "perform-again",
    silence: "perform-silence",
    over: overAtPerform,
    unknown: ({ ordered }) => (ordered ? "perform-refused-ordered" : "perform-unknown"),
    held: performRefused,
    refused: performRefused,
    timeout: ({ whole }) => (whole ? "perform-hold" : "perform-timeout"),
  },
  finish: {
    landed: "finish-landed",
    returned: "finish-returned",
    perished: "finish-perished",
    pending: "finish-pending",
    silence: "finish-silence",
    again: "finish-again",
    unknown: finishSilent("finish-unknown"),
    over: finishSilent("finish-unknown"),
    held: "finish-refused",
    refused: "finish-refused",
    timeout: finishSilent("finish-timeout"),
  },
  abandon: {
    landed: "abandon-landed",
    returned: "abandon-returned",
    perished: "abandon-perished",
    pending: "abandon-pending",
    silence: "abandon-silence",
    again: "abandon-again",
    unknown: "abandon-unknown",
    over: "abandon-refused",
    held: "abandon-refused",
    refused: "abandon-refused",
    timeout: "abandon-timeout",
  },
  abort: {
    aborted: afterAbort("abort-aborted"),
    underWay: afterAbort("abort-under-way"),
    tooLate: "abort-too-late",
    silence: "abort-silence",
    again: "abort-again",
    unknown: afterAbort("abort-unknown"),
    over: afterAbort("abort-refused"),
    held: afterAbort("abort-refused"),
    refused: afterAbort("abort-refused"),
    timeout: afterAbort("abort-timeout"),
  },
  confirm: {
    landed: "confirm-landed",
    returned: "confirm-returned",
    perished: "confirm-perished",
    pending: "confirm-pending",
    silence: "confirm-silence",
    again: "confirm-again",
    unknown: nobodyConfirms,
    over: nobodyConfirms,
    held: nobodyConfirms,
    refused: nobodyConfirms,
    timeout: nobodyConfirms,
  },
  caller: { abort: "caller-abort" },
};

/** Calls whose answer counts although the migration is being withdrawn. */
const ENDING: ReadonlySet<Call> = new Set(["abandon", "abort", "confirm"]);

/** The row that follows. `known` is all that was learned, this included. */
export function decide(known: Known, heard: Heard): RowId {
  const { call, verdict } = heard;
  const ending = ENDING.has(call);
  if (known.verdict !== undefined && verdict === undefined && call !== "confirm") {
    if (!ending || (known.confirming && !known.confirmOver)) return "verdict-known";
  }
  if (known.withdrawing && !ending) {
    const told = verdict !== undefined && call !== "perform" && call !== "prepare";
    if (!told) return "withdrawn";
  }
  // The type of TABLE pairs every call with its words; the compiler cannot follow that pair in here.
  const cell = (TABLE[call] as Readonly<Record<string, Cell>>)[heard.word];
  if (cell === undefined) throw new Error(`no row for ${call} ${heard.word}`);
  return typeof cell === "string" ? cell : cell(known, verdict);
}

/** What is known once that was heard. A verdict never changes: the first one stands. */
export function learn(known: Known, heard: Heard): Known {
  const { word } = heard;
  const verdict = known.verdict ?? heard.verdict;
  switch (heard.call) {
    case "prepare":
      return { ...known, verdict, there: thereAfter(known, heard.word) };
    case "tether":
      return { ...known, verdict, there: word === "returned" ? "nothing" : known.there };
    case "perform": {
      // The source's own "returned": it keeps the guest, and the destination has yet to hear of it.
      const kept = word === "failed" || (word === "over" && heard.verdict === "returned");
      if (kept) return { ...known, kept: true };
      return { ...known, verdict };
    }
    case "finish":
      return { ...known, verdict, finishing: known.finishing && !NO_HELP.has(word) };
    case "abandon":
      return { ...known, verdict, ending: known.ending && !NO_HELP.has(word) };
    case "abort":
      return { ...known, verdict, kept: known.kept || word === "aborted" };
    case "confirm":
      return { ...known, verdict, confirmOver: known.confirmOver || NO_HELP.has(word) };
    default:
      return { ...known, verdict };
  }
}

/** What is known once that was done. */
export function afterMove(known: Known, move: Move): Known {
  switch (move) {
    case "perform":
      return { ...known, performed: true };
    case "land":
      return known.ordered ? known : { ...known, ordered: true, finishing: true };
    case "abort":
    case "abandon":
      return { ...known, withdrawing: true, ending: true, finishing: false };
    case "confirm":
    case "askBoth":
      // What could not be confirmed before may be now: a verdict has come since.
      return { ...known, confirming: true, confirmOver: false };
    default:
      return known;
  }
}

/** Words after which a call is not repeated and has told nothing. */
const NO_HELP: ReadonlySet<string> = new Set(["unknown", "over", "held", "refused", "timeout"]);

/** A fault is an answer: nothing was accepted. Silence is none: perhaps it was. */
function thereAfter(known: Known, word: Words["prepare"]): Known["there"] {
  if (word === "ok") return "prepared";
  if (word === "accepted" || word === "silence" || word === "timeout") return "perhaps";
  return word === "held" ? known.there : "nothing";
}

/** Phases of the destination's table in which its copy is surely not whole. */
const PARTIAL: ReadonlySet<string> = new Set([
  "empty",
  "preparing",
  "prepared",
  "receiving",
  "receivingOrdered",
]);

/** Phases before the two agents have met. */
const UNMET: ReadonlySet<string> = new Set(["empty", "preparing", "prepared"]);
/** Phases in which nothing can land any more. */
const GIVEN_UP: ReadonlySet<string> = new Set(["discarding", "returned", "perished"]);

/** Whether the agents have met, so that a landing may be ordered. Not for a phase that is new here. */
export function haveMet(phase: string): boolean {
  return !UNMET.has(phase) && !GIVEN_UP.has(phase);
}

/** Whether the destination may hold a whole copy. A phase this library does not know may. */
export function mayBeWhole(phase: string): boolean {
  return !PARTIAL.has(phase);
}
