/*
 * What an agent did at its start, undone at its end. Each step lets go of something that the others do not
 * know of, so one that fails keeps none of them from being taken: a lock that is never let go, or a port that
 * stays open, would keep the successor from starting.
 */

export class Undo {
  readonly #steps: (() => void | Promise<void>)[] = [];

  /** To be done at the end, before everything that was added earlier. */
  push(...steps: (() => void | Promise<void>)[]): void {
    this.#steps.push(...steps);
  }

  /** Takes every step, the last first, and none twice. Rejects at the end with the first thing that went wrong. */
  async all(): Promise<void> {
    const wrong: unknown[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        wrong.push(error);
      }
    }
    if (wrong.length > 0) throw wrong[0];
  }
}
