/*
 * What a move that came to nothing asks for. The contract's own words decide: RetryInfo, the reason,
 * the verdict. The guest is where it was in all of these but two, and is never stopped because of one.
 */
import { REASONS, type Reason } from "@ferry/contract";
import type { Ending } from "./words.js";

/**
 * `moved`; `wait` for what passes, and the same again; `again` here or there; `elsewhere`: not this target
 * for this guest; `target-down`: that target is in trouble, for every guest; `gone`: it does not live here
 * any more; `leave` it; `person`: nobody may touch it.
 */
export type Advice =
  | "moved"
  | "wait"
  | "again"
  | "elsewhere"
  | "target-down"
  | "gone"
  | "leave"
  | "person";

const ADVICE: Readonly<Record<string, Advice>> = {
  // of the source, and of the moment
  GUEST_BUSY: "wait",
  NO_SLOT: "wait",
  NO_PORT: "wait",
  STARTING: "wait",
  SUPERSEDED: "wait",
  // of the source, and lasting
  GUEST_UNKNOWN: "gone",
  GUEST_NOT_RUNNING: "leave",
  GUEST_UNREACHABLE: "leave",
  GUEST_UNFIT: "leave",
  FORBIDDEN: "leave",
  INVALID_REQUEST: "leave",
  MESSAGE_TOO_LARGE: "leave",
  UNSUPPORTED: "leave",
  ID_CONFLICT: "again",
  // of this guest at this target
  HOST_UNFIT: "elsewhere",
  NO_MEMORY: "elsewhere",
  GUEST_RESIDENT_HERE: "again", // what an earlier try left there is soon gone
  SAME_HOST: "elsewhere",
  ACCELERATOR_MISSING: "elsewhere",
  DESTINATION_REFUSED: "elsewhere",
  // of the target
  WRONG_HOST: "target-down",
  STATE_DIRECTORY_FULL: "target-down",
  HOST_EXHAUSTED: "target-down",
  DRAINING: "target-down",
  DESTINATION_UNREACHABLE: "target-down",
  DESTINATION_LOST: "target-down",
  DESTINATION_DISCARDED: "target-down",
  DESTINATION_UNPREPARED: "target-down",
  CONNECTION_LOST: "target-down",
  TETHER_CUT: "target-down",
  DISCARDED: "target-down",
  TIMEOUT: "target-down",
};

/** Words that are said by the source while nothing was asked of the target: they say nothing of it. */
const OF_THE_SOURCE: ReadonlySet<string> = new Set([
  "DRAINING",
  "STATE_DIRECTORY_FULL",
  "HOST_EXHAUSTED",
]);

export function adviceOn(ending: Ending): Advice {
  if ("outcome" in ending) {
    const { verdict, why } = ending.outcome;
    if (verdict === "landed") return "moved";
    if (verdict !== "returned") return "person";
    return ADVICE[why?.reason ?? ""] ?? "again"; // SWITCHOVER_TIMEOUT, QEMU_FAILED, what is newer than this
  }
  const { reason, retryAfterMs } = ending.refused;
  if (OF_THE_SOURCE.has(reason)) return "wait";
  const advice = ADVICE[reason];
  if (advice !== undefined && advice !== "target-down") return advice;
  return retryAfterMs !== undefined || reason === "SILENCE" ? "wait" : "leave";
}

/** How long what passes is waited for before the next try, in milliseconds. */
export function delayOf(reason: string, retryAfterMs: number | undefined): number {
  const known: Readonly<Record<string, Reason>> = REASONS;
  return retryAfterMs ?? known[reason]?.retryAfterMs ?? 1_000;
}

/** What follows, in words. */
export const ADVICE_WORDS: Readonly<Record<Advice, string>> = {
  moved: "Nothing: it landed.",
  wait: "It is tried again once that has passed.",
  again: "It is tried again.",
  elsewhere: "Another target is chosen.",
  "target-down":
    "That target is left alone for a while; another is chosen meanwhile, if one takes it.",
  gone: "Nothing: it does not live here any more.",
  leave: "It is left where it is.",
  person: "It is left to you.",
};
