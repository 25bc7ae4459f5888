/*
 * How fast guests may leave. The host's budget is divided among the copies under way and divided anew
 * whenever one comes or goes, its caller's or its destination's limit changes, or the configuration
 * does. Those that get less are told first, so that the sum is never more than the budget.
 */
import { share } from "@ferry/agent-kit";
import { setBandwidth } from "@ferry/qemu";
import type { Departure } from "./departure.js";
import type { Departures } from "./departures.js";

/** Phases in which QEMU may send. */
const SENDING: ReadonlySet<string> = new Set(["meeting", "performing", "cancelling"]);

export class Bandwidth {
  /** Those that draw on the budget, with what their QEMU was told last; undefined: not told by us. */
  readonly #told = new WeakMap<Departure, number | undefined>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(readonly departures: Departures) {}

  /** The departure will send: makes room for it, and answers its limit in bytes per second; 0: none. */
  async join(departure: Departure): Promise<number> {
    this.#told.set(departure, undefined);
    const limits = await this.#inTurn(() => this.#divide(departure));
    const limit = limits.get(departure) ?? 0;
    this.#told.set(departure, limit);
    return limit;
  }

  /** A successor found its copy under way: its QEMU has some limit, and gets the right one. */
  adopt(departure: Departure): void {
    this.#told.set(departure, undefined);
    void this.divideAnew();
  }

  /** Something changed. Harmless to repeat: QEMU is told only what is new to it. */
  async divideAnew(): Promise<void> {
    await this.#inTurn(() => this.#divide());
  }

  /** Divides anew after every change of any departure, until the agent ends. */
  async follow(): Promise<never> {
    const { changes } = this.departures;
    for (let seen = changes.version; ; ) {
      seen = await changes.after(seen);
      await this.divideAnew();
    }
  }

  /** For the metrics, in bytes per second: what the copies may use, and what they use. */
  get now(): { readonly allottedBytes: number; readonly usedBytes: number } {
    const members = this.#members();
    const sum = (of: (each: Departure) => number) => members.reduce((all, it) => all + of(it), 0);
    return {
      allottedBytes: sum((each) => this.#told.get(each) ?? 0),
      usedBytes: sum(({ progress }) => progress?.transferBytesPerSecond ?? 0),
    };
  }

  #members(): Departure[] {
    return this.departures
      .underWay()
      .filter((each) => this.#told.has(each) && SENDING.has(each.phase));
  }

  /** Tells every QEMU its share, but that of `joining`, which is about to be told. */
  async #divide(joining?: Departure): Promise<Map<Departure, number>> {
    const { config } = this.departures.host;
    const members = this.#members();
    const shares = share(config.limits.bandwidthBytesPerSecond, members.map(wishOf));
    const limits = new Map(members.map((each, index) => [each, shares[index] ?? 0] as const));
    const rises = (each: Departure) =>
      (limits.get(each) || Number.POSITIVE_INFINITY) >
      (this.#told.get(each) || Number.POSITIVE_INFINITY);
    const changed = members.filter(
      (each) => each !== joining && limits.get(each) !== this.#told.get(each),
    );
    const tell = (some: Departure[]) =>
      Promise.all(some.map((each) => this.#tell(each, limits.get(each) ?? 0)));
    await tell(changed.filter((each) => !rises(each)));
    await tell(changed.filter(rises));
    return limits;
  }

  async #tell(departure: Departure, limit: number): Promise<void> {
    const { qmp } = departure.resident;
    // In the switchover nothing is asked of a QEMU that need not be asked: it has no limit there anyway.
    if (
      qmp === undefined ||
      qmp.closed ||
      departure.phase !== "performing" ||
      departure.stoppedAtUs > 0
    ) {
      return;
    }
    try {
      await setBandwidth(qmp, limit);
      this.#told.set(departure, limit);
    } catch (error) {
      // Told again after the next change, of which a copy makes five a second.
      const { log } = this.departures.host;
      log.warn({ migration_id: departure.migrationId, err: error }, "bandwidth not set");
    }
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }
}

/** The most this copy may use by its caller's word and by its destination's. */
function wishOf({ record, destinationBandwidth }: Departure): number | undefined {
  const limits = [record.bandwidthBytesPerSecond, destinationBandwidth].filter((each) => each > 0);
  return limits.length === 0 ? undefined : Math.min(...limits);
}
