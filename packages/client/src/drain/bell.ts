/* Wakes whoever waits for the next thing to happen. */
export class Bell {
  #wakes: (() => void)[] = [];

  ring(): void {
    for (const wake of this.#wakes.splice(0)) wake();
  }

  /** Waits that long, in milliseconds, or until it rings. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wakes.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
