/* Every world that turned up, each under the number by which a walk knows it: 0, 1, 2 and so on. */
import { Places } from "./places.js";
import type { World } from "./world.js";

export class Worlds {
  readonly #places: Places;
  readonly #ids = new Map<number, number>();
  readonly #keys: number[] = [];

  constructor(readonly destinations: number) {
    this.#places = new Places(destinations);
  }

  get size(): number {
    return this.#keys.length;
  }

  /** Two worlds have the same number exactly if nothing can ever tell them apart. */
  number(world: World): number {
    const key = this.#places.key(world);
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const number = this.#keys.length;
    this.#ids.set(key, number);
    this.#keys.push(key);
    return number;
  }

  /** It turned up before. */
  has(world: World): boolean {
    return this.#ids.has(this.#places.key(world));
  }

  at(number: number): World {
    const key = this.#keys[number];
    if (key === undefined) throw new Error(`no world has the number ${number}`);
    return this.#places.world(key);
  }

  /** Forgets all but the first `size`. */
  cut(size: number): void {
    for (const key of this.#keys.splice(size)) this.#ids.delete(key);
  }
}
