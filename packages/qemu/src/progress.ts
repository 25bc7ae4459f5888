/*
 * QEMU's numbers, made fit to be shown. QEMU goes through memory again and again, so what remains
 * grows at every pass: a person who watches wants a bar that does not run backwards and a guess that
 * is left out when there is none.
 */
import { type Convergence, type ConvergenceSeen, converge } from "./convergence.js";
import type { Outgoing } from "./outgoing-look.js";

export interface Progress {
  readonly transferredBytes: number;
  readonly remainingBytes: number;
  readonly totalBytes: number;
  readonly dirtyBytesPerSecond: number;
  readonly transferBytesPerSecond: number;
  readonly iteration: number;
  /** From 0 to 1; never runs backwards, and is 1 only once the copy is complete. */
  readonly ratio: number;
  /** Undefined while the guest dirties memory as fast as it is sent, or nothing is known. */
  readonly etaMs: number | undefined;
  readonly expectedDowntimeMs: number;
  /** The least that was left at the start of a pass over the memory. */
  readonly bestRemainingBytes: number;
  readonly convergence: Convergence;
}

/** The most that is shown of a copy that is not complete. */
const RATIO_UNFINISHED_MAX = 0.99;

/** One per migration. */
export class ProgressMeter {
  #ratio = 0;
  #seen: ConvergenceSeen | undefined;

  measure(seen: Outgoing, atMs = performance.now()): Progress {
    const { totalBytes, remainingBytes, transferBytesPerSecond, dirtyBytesPerSecond } = seen;
    const done = seen.state === "completed";
    const ratio = totalBytes > 0 ? (totalBytes - remainingBytes) / totalBytes : 0;
    this.#ratio = done ? 1 : Math.max(this.#ratio, Math.min(ratio, RATIO_UNFINISHED_MAX));
    this.#seen = converge(this.#seen, { ...seen, atMs });
    const gain = transferBytesPerSecond - dirtyBytesPerSecond;
    return {
      transferredBytes: seen.transferredBytes,
      remainingBytes,
      totalBytes,
      dirtyBytesPerSecond,
      transferBytesPerSecond,
      iteration: seen.iteration,
      ratio: this.#ratio,
      etaMs: done ? 0 : gain > 0 && totalBytes > 0 ? (remainingBytes / gain) * 1000 : undefined,
      expectedDowntimeMs: seen.expectedDowntimeMs,
      bestRemainingBytes: this.#seen.bestRemainingBytes,
      convergence: this.#seen.convergence,
    };
  }
}
