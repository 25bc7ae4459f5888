/*
 * A walk that is kept: every world, every step out of it, and the cells that were read to find them.
 * A table with one cell changed is walked over it, and only the worlds that read that cell, and those
 * that were never seen, are worked out anew.
 */
import { Ints } from "./ints.js";
import type { Worlds } from "./worlds.js";

/** A world in which nothing more needs to happen. */
export interface Rest {
  /** Why nothing more needs to happen, in words. */
  readonly why: string;
  /** The same by the phases and QEMUs of every host. */
  readonly place: string;
}

export class Kept {
  readonly rests = new Map<number, Rest>();
  readonly #first = new Ints();
  /** Twice the world a step leads to, and one more if the step is calm. */
  readonly #steps = new Ints();
  readonly #cells = new Ints();
  readonly #sets: (readonly number[])[] = [];
  readonly #setNumbers = new Map<string, number>();

  constructor(readonly worlds: Worlds) {}

  /** Worlds are added in the order of their numbers. */
  add(cells: readonly number[]): void {
    this.#first.push(this.#steps.length);
    const set = [...new Set(cells)];
    const name = set.join();
    let number = this.#setNumbers.get(name);
    if (number === undefined) {
      number = this.#sets.length;
      this.#sets.push(set);
      this.#setNumbers.set(name, number);
    }
    this.#cells.push(number);
  }

  /** Adds a step out of the world that was added last. */
  step(to: number, calm: boolean): void {
    this.#steps.push(to * 2 + (calm ? 1 : 0));
  }

  get size(): number {
    return this.#first.length;
  }

  /** Every cell that any world reads. */
  get cells(): ReadonlySet<number> {
    return new Set(this.#sets.flat());
  }

  /** For each world, by its number: whether it reads that cell. */
  readersOf(cell: number): (world: number) => boolean {
    const reads = this.#sets.map((set) => set.includes(cell));
    return (world) => reads[this.#cells.at(world)] === true;
  }

  eachStep(from: number, take: (to: number, calm: boolean) => void): void {
    const end = from + 1 < this.#first.length ? this.#first.at(from + 1) : this.#steps.length;
    for (let index = this.#first.at(from); index < end; index += 1) {
      const step = this.#steps.at(index);
      take(step >> 1, (step & 1) === 1);
    }
  }
}
