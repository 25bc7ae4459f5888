/** Lets many watchers follow one thing that changes: each sees the latest state, none misses the last one. */
export class Changes {
  #version = 0;
  readonly #waiting = new Set<() => void>();

  /** Grows by one with every change. */
  get version(): number {
    return this.#version;
  }

  /** Something changed: wakes everybody who waits. */
  bump(): void {
    this.#version += 1;
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }

  /** Resolves with the version once it is not `seen` any more, or when `signal` fires. */
  after(seen: number, signal?: AbortSignal): Promise<number> {
    if (this.#version !== seen || signal?.aborted) return Promise.resolve(this.#version);
    return new Promise((resolve) => {
      const wake = () => {
        signal?.removeEventListener("abort", wake);
        this.#waiting.delete(wake);
        resolve(this.#version);
      };
      this.#waiting.add(wake);
      signal?.addEventListener("abort", wake, { once: true });
    });
  }

  /**
   * Resolves true once `condition` holds; false after `withinMs` or when `signal` fires first. It keeps
   * no process alive: an agent that ends is not held up by what it waited for.
   */
  async until(
    condition: () => boolean,
    { withinMs, signal }: { withinMs: number; signal?: AbortSignal },
  ): Promise<boolean> {
    const late = AbortSignal.timeout(Math.max(1, withinMs));
    const stop = signal === undefined ? late : AbortSignal.any([late, signal]);
    let seen = this.#version;
    while (!condition()) {
      if (stop.aborted || withinMs <= 0) return false;
      seen = await this.after(seen, stop);
    }
    return true;
  }
}
