/*
 * Whether a copy is getting anywhere. Elapsed time does not tell: a large guest takes long and is fine.
 * What tells is how much is left at the start of each pass over the guest's memory, which is what the guest
 * dirtied during the pass before. Within a pass what is left always falls, so it says nothing.
 */

export type Convergence =
  | "progressing" // the first pass, or passes get shorter
  | "plateau" // passes do not get shorter, although more is sent than is dirtied
  | "diverging" // passes do not get shorter, and the guest dirties at least as fast as is sent
  | "starved"; // nothing is being sent at all

export const CONVERGENCES: readonly Convergence[] = [
  "progressing",
  "plateau",
  "diverging",
  "starved",
];

export interface ConvergenceSample {
  /** Milliseconds of a clock that only goes forward. */
  readonly atMs: number;
  readonly transferredBytes: number;
  readonly remainingBytes: number;
  /** Which pass over the guest's memory, from 1. */
  readonly iteration: number;
  readonly dirtyBytesPerSecond: number;
  readonly transferBytesPerSecond: number;
}

/** What is known after a sample; handed in with the next one. */
export interface ConvergenceSeen {
  readonly convergence: Convergence;
  /** The least that was left at the start of a pass. Never grows. */
  readonly bestRemainingBytes: number;
  /** When it was last lowered by enough to count. */
  readonly betterAtMs: number;
  /** Passes begun since. */
  readonly passesSince: number;
  readonly iteration: number;
  readonly transferredBytes: number;
  readonly movedAtMs: number;
}

/** Nothing sent for this long is more than a pause between two passes, in milliseconds. */
const STARVED_MS = 5_000;
/** A pass that is shorter by less than this part is not a shorter pass. */
const BETTER_BY = 0.02;
/** No better pass for this long, and for this many passes: it will not come by itself. */
const STUCK_MS = 40_000;
const STUCK_PASSES = 2;

/** Judges one more sample. Pure. */
export function converge(
  before: ConvergenceSeen | undefined,
  seen: ConvergenceSample,
): ConvergenceSeen {
  const { atMs, iteration, transferredBytes } = seen;
  const moved = before === undefined || transferredBytes !== before.transferredBytes;
  const movedAtMs = moved ? atMs : before.movedAtMs;
  const pass = passOf(before, seen);
  const stuck = pass.passesSince >= STUCK_PASSES && atMs - pass.betterAtMs >= STUCK_MS;
  const outrun = seen.dirtyBytesPerSecond >= seen.transferBytesPerSecond;
  const convergence =
    atMs - movedAtMs >= STARVED_MS
      ? "starved"
      : !stuck
        ? "progressing"
        : outrun
          ? "diverging"
          : "plateau";
  return { convergence, ...pass, iteration, transferredBytes, movedAtMs };
}

/** What the start of a pass says; a sample in the middle of one changes nothing. */
function passOf(
  before: ConvergenceSeen | undefined,
  { atMs, iteration, remainingBytes }: ConvergenceSample,
): Pick<ConvergenceSeen, "bestRemainingBytes" | "betterAtMs" | "passesSince"> {
  if (before === undefined || before.iteration === 0) {
    return { bestRemainingBytes: remainingBytes, betterAtMs: atMs, passesSince: 0 };
  }
  const { bestRemainingBytes, betterAtMs } = before;
  if (iteration === before.iteration) {
    return { bestRemainingBytes, betterAtMs, passesSince: before.passesSince };
  }
  const best = Math.min(bestRemainingBytes, remainingBytes);
  if (remainingBytes <= bestRemainingBytes * (1 - BETTER_BY)) {
    return { bestRemainingBytes: best, betterAtMs: atMs, passesSince: 0 };
  }
  const passesSince = before.passesSince + iteration - before.iteration;
  return { bestRemainingBytes: best, betterAtMs, passesSince };
}
