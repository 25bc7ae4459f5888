/* How far a drain has got, counted anew whenever somebody is told. Pure. */
import { schedule } from "./forecast.js";
import { type Active, movingOf, type Waiting } from "./waiting.js";
import type { DrainProgress, DrainState } from "./words.js";

export interface Standing {
  readonly active: readonly Active[];
  readonly waiting: readonly Waiting[];
  readonly moved: number;
  /** The memory of those that moved. */
  readonly movedBytes: number;
  readonly left: number;
  /** Moves under way at once, and at each target. */
  readonly parallel: number;
  readonly slots: ReadonlyMap<string, number>;
  /** How many times longer than foretold moves take. */
  readonly factor: number;
  readonly state: DrainState;
  /** The share that was told last. */
  readonly told: number;
}

export function progressOf(standing: Standing): DrainProgress {
  const { active, waiting, moved, movedBytes, left, parallel, slots, factor, state, told } =
    standing;
  const copiedBytes = active.reduce((sum, each) => sum + each.waiting.memoryBytes * each.ratio, 0);
  const wholeBytes = [...active.map((each) => each.waiting), ...waiting].reduce(
    (sum, { memoryBytes }) => sum + memoryBytes,
    movedBytes,
  );
  const tasks = [
    ...active.map(({ waiting: { takesMs }, to, ratio }) => ({
      takesMs: takesMs * (1 - ratio),
      to,
    })),
    ...waiting,
  ];
  return {
    guests: moved + active.length + waiting.length + left,
    moved,
    moving: active.map(movingOf),
    waiting: waiting.length,
    left,
    // Never backwards: a copy that failed begins anew, and a guest may be started meanwhile.
    ratio: Math.max(told, wholeBytes === 0 ? 1 : (movedBytes + copiedBytes) / wholeBytes),
    etaMs: schedule(tasks, parallel, slots).takesMs * factor,
    state,
  };
}
