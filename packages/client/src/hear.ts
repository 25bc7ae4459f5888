/*
 * What an agent's answer, or the lack of one, is called in decide.ts. A fault is an answer, and so
 * is a verdict. Anything that no agent said (a broken connection, a proxy, a deadline) is silence,
 * and so is INTERNAL: a bug says nothing about the guest.
 */
import { Cause, type FaultRead, readFault, Verdict } from "@ferry/contract";
import { status } from "@grpc/grpc-js";
import type { FinalVerdict } from "./decide.js";

/** Trouble with a call, as decide.ts names it. */
export interface Trouble {
  readonly word: "silence" | "again" | "unknown" | "over" | "held" | "refused";
  readonly verdict: FinalVerdict | undefined;
  readonly fault: FaultRead | undefined;
  readonly retryAfterMs: number | undefined;
  /** For people. */
  readonly message: string;
}

/** Codes that a server which is no agent gives, or grpc-js itself, and that no repeat will mend. */
const HOPELESS: ReadonlySet<number> = new Set([
  status.UNIMPLEMENTED,
  status.UNAUTHENTICATED,
  status.PERMISSION_DENIED,
  status.INVALID_ARGUMENT,
]);

export function troubleOf(error: unknown): Trouble {
  const fault = readFault(error);
  const message = fault?.message ?? wordsOf(error);
  const verdict = finalVerdict(fault?.verdict);
  const retryAfterMs = fault?.retryAfterMs;
  return { word: wordOf(fault, error), verdict, fault, retryAfterMs, message };
}

function wordOf(fault: FaultRead | undefined, error: unknown): Trouble["word"] {
  if (fault === undefined)
    return HOPELESS.has(codeOf(error) ?? status.UNKNOWN) ? "refused" : "silence";
  switch (fault.reason) {
    case "INTERNAL":
      return "silence";
    case "MIGRATION_UNKNOWN":
      return "unknown";
    case "MIGRATION_OVER":
    case "TETHER_CUT":
      return "over";
    case "TETHER_HELD":
      return "held";
    default:
      return fault.retryAfterMs === undefined ? "refused" : "again";
  }
}

/** The gRPC status code of an error, if it has one. */
export function codeOf(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "number" ? error.code : undefined;
}

/** An error in words: grpc-js puts the server's own words into `details`. */
export function wordsOf(error: unknown): string {
  if (typeof error === "object" && error !== null && "details" in error) {
    if (typeof error.details === "string" && error.details !== "")
      return error.details.replace(/\.? Resolution note: $/, ""); // grpc-js, where there is no note
  }
  return error instanceof Error ? error.message : String(error);
}

/** A verdict that says something. */
export function finalVerdict(text: string | undefined): FinalVerdict | undefined {
  return text === "landed" || text === "returned" || text === "perished" ? text : undefined;
}

const VERDICTS: Readonly<Partial<Record<Verdict, FinalVerdict>>> = {
  [Verdict.LANDED]: "landed",
  [Verdict.RETURNED]: "returned",
  [Verdict.PERISHED]: "perished",
};

export function fromWireVerdict(verdict: Verdict): FinalVerdict | undefined {
  return VERDICTS[verdict];
}

/** "connection_lost"; undefined where none was given. A cause newer than this library is its number. */
export function fromWireCause(cause: Cause): string | undefined {
  if (cause === Cause.UNSPECIFIED) return undefined;
  return (Cause[cause] ?? `cause_${cause}`).toLowerCase();
}
