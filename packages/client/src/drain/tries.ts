/*
 * Whether and when a guest is tried again after a move that came to nothing, and where not. Pure: moves.ts
 * does as it says.
 */
import { type Advice, delayOf } from "./advice.js";
import { wordsOf } from "./texts.js";
import type { Waiting } from "./waiting.js";
import type { Ending } from "./words.js";

/** A guest is tried so often; waiting for a limit is no try. */
const TRIES_MAX = 5;
/** Pause before a guest is tried again after a failure, in milliseconds; doubled each time. */
const AGAIN_MS = 1_000;
const AGAIN_MAX_MS = 30_000;

/**
 * `enough`: it is left. The target is `full` for everybody until then; the guest may `wait` until then; the target is
 * in `trouble`, and left alone; the guest goes `elsewhere`, for good; it is tried `again` from then on, elsewhere if it
 * can.
 */
export type Next =
  | { readonly what: "enough" | "trouble" | "elsewhere" }
  | { readonly what: "full" | "wait" | "again"; readonly untilMs: number };

export interface NextTry {
  readonly next: Next;
  /** What the guest's account is from now on. */
  readonly tries: number;
  readonly waitsSince: number | undefined;
}

export interface Failed {
  readonly waiting: Pick<Waiting, "tries" | "waitsSince" | "fits" | "avoid">;
  /** Where it was to go. */
  readonly to: string;
  readonly ending: Ending;
  readonly advice: Advice;
  /** How long it may wait for what passes, in milliseconds. */
  readonly patienceMs: number;
  /** As `performance.now()` tells it, in milliseconds. */
  readonly now: number;
}

export function nextTry(failed: Failed): NextTry {
  const { waiting, advice, to, now } = failed;
  if (advice === "wait") return waited(failed);
  const tries = waiting.tries + 1;
  const after = (next: Next): NextTry => ({ next, tries, waitsSince: undefined });
  if (tries >= TRIES_MAX) return after({ what: "enough" });
  if (advice === "target-down") return after({ what: "trouble" });
  if (advice === "elsewhere") {
    const nowhere = waiting.fits.every((name) => name === to || waiting.avoid.has(name));
    return after({ what: nowhere ? "enough" : "elsewhere" });
  }
  return after({ what: "again", untilMs: now + Math.min(AGAIN_MAX_MS, AGAIN_MS * 2 ** tries) });
}

/** What passes is no try, but there is an end to patience. */
function waited({ waiting, ending, patienceMs, now }: Failed): NextTry {
  const { reason, retryAfterMs } = wordsOf(ending);
  const { tries } = waiting;
  const waitsSince = waiting.waitsSince ?? now;
  const untilMs = now + delayOf(reason, retryAfterMs);
  if (untilMs - waitsSince > patienceMs) return { next: { what: "enough" }, tries, waitsSince };
  const what = "outcome" in ending ? "full" : "wait";
  return { next: { what, untilMs }, tries, waitsSince };
}

/** It is tried elsewhere first, if there is an elsewhere. */
export function shun({ fits, avoid, shunned }: Waiting, to: string): void {
  shunned.add(to);
  if (fits.every((name) => avoid.has(name) || shunned.has(name))) shunned.clear();
}
