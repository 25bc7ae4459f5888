/*
 * Waiting for another agent's word is normal; waiting for one that says nothing is told at once, and
 * again when it is over. Nothing follows from it: silence proves nothing.
 */

export interface VigilOptions {
  /** How often it is looked, in milliseconds. */
  readonly everyMs: number;
  /** Somebody's word is awaited, and he says nothing. */
  silent(): boolean;
  /** It began, or is over. */
  tell(silent: boolean): void;
}

export class Vigil {
  #since: Date | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(private readonly options: VigilOptions) {
    this.#timer = setInterval(() => this.look(), options.everyMs).unref();
  }

  /** Since when nothing is heard, for people; undefined while all is well. */
  get since(): Date | undefined {
    return this.#since;
  }

  look(): void {
    const silent = this.options.silent();
    if (silent === (this.#since !== undefined)) return;
    this.#since = silent ? new Date() : undefined;
    this.options.tell(silent);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#since = undefined;
  }
}
