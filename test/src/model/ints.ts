/* A list of whole numbers that grows: an array of them at a third of the memory. */
export class Ints {
  length = 0;
  #items = new Int32Array(1024);

  push(item: number): void {
    if (this.length === this.#items.length) {
      const bigger = new Int32Array(this.length * 2);
      bigger.set(this.#items);
      this.#items = bigger;
    }
    this.#items[this.length] = item;
    this.length += 1;
  }

  /** 0 beyond the end. */
  at(index: number): number {
    return this.#items[index] ?? 0;
  }

  /** Forgets all but the first `length`. */
  cut(length: number): void {
    this.length = length;
  }
}
