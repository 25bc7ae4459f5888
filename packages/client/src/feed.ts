/*
 * The events of one migration, for whoever looks. Progress that nobody took in time is replaced by
 * newer progress, so a slow reader holds nothing up and no memory grows; every other event is kept
 * until it is read, up to a limit beyond which the oldest go.
 */
const EVENTS_MAX = 1_000;

export class Feed<Event extends { readonly kind: string }> implements AsyncIterable<Event> {
  readonly #events: Event[] = [];
  #ended = false;
  #waiting: (() => void)[] = [];

  push(event: Event): void {
    if (this.#ended) return;
    const last = this.#events.at(-1);
    if (event.kind === "progress" && last?.kind === "progress") this.#events.pop();
    this.#events.push(event);
    if (this.#events.length > EVENTS_MAX) this.#events.shift();
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Each event goes to one reader. Leaving the loop ends nothing. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Event> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) {
        yield event;
        continue;
      }
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }
}
