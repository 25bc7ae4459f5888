/*
 * When a call is made again: a pause that doubles, and a limit after which it is not. A call that
 * was answered starts afresh where its limit counts silence only.
 */
import type { Bounds } from "./bounds.js";
import type { Known } from "./decide.js";

/** The calls a walk repeats. */
export type Asked = "begin" | "prepare" | "perform" | "finish" | "abandon" | "abort" | "confirm";

export class Asking {
  #since = performance.now();
  #pauseMs: number;

  constructor(
    readonly call: Asked,
    readonly bounds: Bounds,
  ) {
    this.#pauseMs = bounds.pauseMs;
  }

  /** An answer came: silence is counted from here. */
  answered(): void {
    this.#since = performance.now();
    this.#pauseMs = this.bounds.pauseMs;
  }

  /** How long this call may still be repeated, in milliseconds; negative: no longer. */
  leftMs(known: Known): number {
    return this.#since + limitOf(this.call, this.bounds, known) - performance.now();
  }

  /** The pause before the next attempt, in milliseconds; undefined: the limit is over. */
  pause(known: Known, wantedMs: number | undefined): number | undefined {
    const pauseMs = Math.max(wantedMs ?? 0, this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, this.bounds.pauseMaxMs);
    return pauseMs > this.leftMs(known) ? undefined : pauseMs;
  }
}

function limitOf(call: Asked, bounds: Bounds, known: Known): number {
  const decided = known.verdict !== undefined || known.kept;
  switch (call) {
    case "begin":
      return bounds.beginMs;
    case "prepare":
      return bounds.prepareMs;
    case "perform":
      return bounds.reattachMs;
    case "finish":
      return bounds.settleMs;
    case "abort":
      return bounds.abortMs;
    case "abandon":
    case "confirm":
      return decided ? bounds.confirmMs : bounds.settleMs;
  }
}
