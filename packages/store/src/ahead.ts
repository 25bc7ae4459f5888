/* Work that is done before it is asked for, by name: whoever asks need not wait for it then. */
export class Ahead<Result> {
  readonly #doing = new Map<string, Promise<Result | undefined>>();

  /** Rejects as the work does: then it is as if it had not begun. */
  async begin(name: string, work: Promise<Result>): Promise<void> {
    this.#doing.set(
      name,
      work.catch(() => undefined),
    );
    await work;
  }

  /** What it came to; undefined if it was not begun or failed. It stays for whoever asks next. */
  async look(name: string): Promise<Result | undefined> {
    return this.#doing.get(name);
  }

  /** The same, for the last time: whatever is asked next is not done ahead. */
  take(name: string): Promise<Result | undefined> {
    const doing = this.look(name);
    this.#doing.delete(name);
    return doing;
  }
}
