/** This many heartbeats in a row must be missed. */
const MISSED_MAX = 3;

/**
 * A caller's heartbeat. Stopped hearts are found by a timer, and a timer may fire late, before the
 * beats that arrived meanwhile were read: so a beat that is overdue gets one more turn of the event
 * loop, or a stall of this agent would kill a healthy guest.
 */
export class Heart {
  readonly #timer: NodeJS.Timeout;
  #beats = 0;
  #over = false;

  constructor(intervalMs: number, stopped: () => void) {
    this.#timer = setTimeout(() => {
      const seen = this.#beats;
      setImmediate(() => {
        if (this.#over || this.#beats !== seen) return; // beating again, or not needed any more
        this.#over = true;
        stopped();
      });
    }, intervalMs * MISSED_MAX);
  }

  beat(): void {
    if (this.#over) return;
    this.#beats += 1;
    this.#timer.refresh();
  }

  end(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }
}
