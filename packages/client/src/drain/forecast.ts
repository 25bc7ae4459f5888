/*
 * How long a drain takes. Before anything has moved it is an assumption, and said to be one; every
 * move that ends corrects it. Pure arithmetic.
 */

/** What a move takes beside its copy, in milliseconds: five steps, and a QEMU that starts. */
export const MOVE_OVERHEAD_MS = 1_500;
/** What one copy is assumed to travel at, in bytes per second: a 1 Gbit/s link, less its overhead. */
export const ASSUMED_BYTES_PER_SECOND = 110e6;

/** One move, foretold, in milliseconds. */
export function foretell(memoryBytes: number, bytesPerSecond = ASSUMED_BYTES_PER_SECOND): number {
  return MOVE_OVERHEAD_MS + (memoryBytes / bytesPerSecond) * 1_000;
}

/** What one copy may travel at when `parallel` of them share a budget, in bytes per second. */
export function shareOf(budget: number | undefined, parallel: number): number | undefined {
  return budget === undefined ? undefined : Math.max(1, Math.floor(budget / parallel));
}

/** Something that takes a while, at a place that takes so many at once. */
export interface Task {
  readonly takesMs: number;
  readonly to: string;
}

/**
 * When each task starts, if `parallel` are under way at most, at each place no more than its slots, and
 * each starts as soon as it may, in that order.
 */
export function schedule(
  tasks: readonly Task[],
  parallel: number,
  slots: ReadonlyMap<string, number>,
): { readonly startsAtMs: readonly number[]; readonly takesMs: number } {
  const startsAtMs: number[] = [];
  const running: { endsAtMs: number; to: string }[] = [];
  let now = 0;
  for (const { takesMs, to } of tasks) {
    const room = () =>
      running.length < parallel &&
      running.filter((each) => each.to === to).length < Math.max(1, slots.get(to) ?? parallel);
    while (!room()) {
      running.sort((a, b) => a.endsAtMs - b.endsAtMs);
      now = Math.max(now, running.shift()?.endsAtMs ?? now);
    }
    startsAtMs.push(now);
    running.push({ endsAtMs: now + takesMs, to });
  }
  return { startsAtMs, takesMs: Math.max(now, ...running.map(({ endsAtMs }) => endsAtMs)) };
}

/** What the moves so far taught: how many times longer than foretold they took. */
export class Experience {
  #foretoldMs = 0;
  #tookMs = 0;

  learn(foretoldMs: number, tookMs: number): void {
    this.#foretoldMs += foretoldMs;
    this.#tookMs += tookMs;
  }

  get factor(): number {
    return this.#foretoldMs === 0 ? 1 : this.#tookMs / this.#foretoldMs;
  }
}
