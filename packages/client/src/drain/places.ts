/*
 * The targets while a drain is under way: what memory is left by the plan's own account, how many guests
 * are arriving on this drain's behalf, and whether one is left alone for a while.
 */
import { claimOf } from "./plan.js";
import type { DrainPlan, NamedHost } from "./words.js";

/** A target in trouble is left alone for this long, in milliseconds; twice as long each time after. */
const COOL_MS = 5_000;
const COOL_MAX_MS = 60_000;

interface Place {
  readonly named: NamedHost;
  freeBytes: number;
  slots: number;
  busy: number;
  coolUntil: number;
  /** How often in a row it was in trouble. */
  troubles: number;
}

/** A guest that looks for a place. */
export interface Seeker {
  readonly memoryBytes: number;
  /** Where its memory is reserved. */
  to: string;
  readonly fits: readonly string[];
  /** Targets that have refused it for good. */
  readonly avoid: ReadonlySet<string>;
  /** Targets where it has failed, as long as there are others. */
  readonly shunned: ReadonlySet<string>;
}

export class Places {
  readonly #places = new Map<string, Place>();

  constructor(hosts: readonly NamedHost[]) {
    for (const named of hosts) {
      const place = { named, freeBytes: 0, slots: 1, busy: 0, coolUntil: 0, troubles: 0 };
      this.#places.set(named.name, place);
    }
  }

  /** Takes the targets as a plan saw them, with the plan's guests in their places. */
  take({ targets }: DrainPlan): void {
    for (const { name, memoryAfterBytes, slots } of targets) {
      const place = this.#of(name);
      place.freeBytes = memoryAfterBytes;
      place.slots = slots;
    }
  }

  host(name: string): NamedHost {
    return this.#of(name).named;
  }

  slots(): ReadonlyMap<string, number> {
    return new Map([...this.#places].map(([name, { slots }]) => [name, slots]));
  }

  /** Where a guest may go now: where its memory is reserved, or else where most is free. */
  choose(seeker: Seeker, now: number): string | undefined {
    const open = seeker.fits.filter((name) => {
      const { busy, slots, coolUntil, freeBytes } = this.#of(name);
      if (seeker.avoid.has(name) || seeker.shunned.has(name)) return false;
      if (busy >= slots || coolUntil > now) return false;
      return name === seeker.to || freeBytes >= claimOf(seeker);
    });
    if (open.includes(seeker.to)) return seeker.to;
    return open.sort((a, b) => this.#of(b).freeBytes - this.#of(a).freeBytes)[0];
  }

  /** The first instant at which one of a guest's targets is no longer left alone; undefined: none is. */
  coolUntil({ fits, avoid }: Seeker, now: number): number | undefined {
    const times = fits
      .filter((name) => !avoid.has(name))
      .map((name) => this.#of(name).coolUntil)
      .filter((time) => time > now);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** A guest begins to move there; its memory is reserved there from now on. */
  enter(seeker: Seeker, name: string): void {
    if (name !== seeker.to) {
      this.giveUp(seeker);
      this.#of(name).freeBytes -= claimOf(seeker);
      seeker.to = name;
    }
    this.#of(name).busy += 1;
  }

  /** Its move has ended, one way or the other. */
  leave(name: string): void {
    this.#of(name).busy -= 1;
  }

  /** The guest will not come: its memory is free again. */
  giveUp(seeker: Seeker): void {
    this.#of(seeker.to).freeBytes += claimOf(seeker);
  }

  well(name: string): void {
    this.#of(name).troubles = 0;
  }

  /** It is in trouble: it is left alone for a while. Answers for how long, in milliseconds. */
  trouble(name: string, now: number): number {
    const place = this.#of(name);
    if (place.coolUntil > now) return place.coolUntil - now; // its other guests have said so already
    const coolMs = Math.min(COOL_MAX_MS, COOL_MS * 2 ** place.troubles);
    place.troubles += 1;
    place.coolUntil = now + coolMs;
    return coolMs;
  }

  /** It is full: it is left alone for that time. */
  full(name: string, until: number): void {
    const place = this.#of(name);
    place.coolUntil = Math.max(place.coolUntil, until);
  }

  #of(name: string): Place {
    const place = this.#places.get(name);
    if (place === undefined) throw new Error(`${name} is no target of this drain`);
    return place;
  }
}
