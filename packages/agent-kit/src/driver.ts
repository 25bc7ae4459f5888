/*
 * The driver runs one table in the world: hear → decide → write it down → act. One message at a
 * time per migration, so that a cut and a Finish are decided in one place, one after the other.
 * A crash between any two lines of `#step` is safe: after a restart the phase is what was written,
 * the table hears `restarted`, and its effects look at QEMU before they touch it.
 */
import { hear, type Table } from "@ferry/protocol";

/** What hearing something came to. */
export type Answer<Phase> =
  | { readonly answer: "moved"; readonly phase: Phase }
  | { readonly answer: "repeat"; readonly phase: Phase }
  | { readonly answer: "refuse"; readonly phase: Phase }
  /** The disk could not be written: the step was not taken, and nothing was acted on. */
  | { readonly answer: "unwritable"; readonly phase: Phase; readonly error: unknown };

/** Everything around a table that touches something. */
export interface World<Phase extends string, Heard extends string, Effect extends string> {
  /** Makes the next phase as durable as the protocol asks. Rejects if the disk cannot be written. */
  write(next: Phase, heard: Heard): Promise<void>;
  /** Starts an effect and returns at once. What comes of it is heard later; it must not throw. */
  act(effect: Effect): void;
  /** A step was taken, written and acted on. */
  moved(step: { readonly from: Phase; readonly to: Phase; readonly heard: Heard }): void;
  /** Something outside the protocol was heard, and nothing happened. */
  refused(at: { readonly phase: Phase; readonly heard: Heard }): void;
  /** The disk refused `next`. Says what to hear instead in the same turn, if anything. */
  unwritable(next: Phase, heard: Heard, error: unknown): Heard | undefined;
  /**
   * Nothing leads out of this phase. A write that was refused may be on disk all the same, and an
   * ending never changes: so one that was tried is tried again before anything else is heard.
   */
  ends?(next: Phase): boolean;
}

/** Runs one table for one migration. */
export class Driver<Phase extends string, Heard extends string, Effect extends string> {
  readonly #table: Table<Phase, Heard, Effect>;
  readonly #world: World<Phase, Heard, Effect>;
  #phase: Phase;
  #turn: Promise<unknown> = Promise.resolve();
  /** What led to an ending that the disk refused. */
  #owed: Heard | undefined;

  constructor(
    table: Table<Phase, Heard, Effect>,
    phase: Phase,
    world: World<Phase, Heard, Effect>,
  ) {
    this.#table = table;
    this.#phase = phase;
    this.#world = world;
  }

  /** The phase that was decided and written last. */
  get phase(): Phase {
    return this.#phase;
  }

  /**
   * Hears one thing, after everything that was heard before it. `still` is asked when its turn has
   * come: news that is not true any more by then (a cut of a tie that was untied) is dropped.
   */
  hear(heard: Heard, still: () => boolean = () => true): Promise<Answer<Phase>> {
    const turn = this.#turn.then(() =>
      still() && (this.#owed ?? heard) === heard
        ? this.#step(heard)
        : { answer: "repeat" as const, phase: this.#phase },
    );
    this.#turn = turn.catch(() => {}); // a bug in one turn must not wedge the next
    return turn;
  }

  async #step(heard: Heard): Promise<Answer<Phase>> {
    const from = this.#phase;
    const step = hear(this.#table, from, heard);
    if (step.answer === "refuse") this.#world.refused({ phase: from, heard });
    if (step.answer !== "moved") return { answer: step.answer, phase: from };
    try {
      await this.#world.write(step.phase, heard);
    } catch (error) {
      if (this.#world.ends?.(step.phase) === true) this.#owed = heard;
      const instead = this.#world.unwritable(step.phase, heard, error);
      if (instead !== undefined && instead !== heard) await this.#step(instead);
      return { answer: "unwritable", phase: this.#phase, error };
    }
    this.#owed = undefined;
    this.#phase = step.phase;
    for (const effect of step.effects) this.#world.act(effect);
    this.#world.moved({ from, to: step.phase, heard });
    return { answer: "moved", phase: step.phase };
  }
}
