import type { Departure } from "./departure.js";

/** Begin's leases: one that is not renewed lapses, and harms nobody. */
export class Leases {
  readonly #timers = new Map<string, NodeJS.Timeout>();

  /** Starts the lease anew, `leaseMs` from now. */
  renew(departure: Departure, leaseMs: number): void {
    this.end(departure);
    const timer = setTimeout(() => {
      this.#timers.delete(departure.migrationId);
      departure.fail("LEASE_OVER", "Perform did not come before Begin's lease was over");
      void departure.hear("lapsed");
    }, leaseMs);
    timer.unref();
    this.#timers.set(departure.migrationId, timer);
  }

  end(departure: Departure): void {
    clearTimeout(this.#timers.get(departure.migrationId));
    this.#timers.delete(departure.migrationId);
  }
}
