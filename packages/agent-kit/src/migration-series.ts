/*
 * Which migrations have series of their own: those under way, and those that ended a few minutes ago, so
 * that a migration shorter than a scrape interval is seen as well. Ids as labels are allowed here and nowhere
 * else, because there is a bound: what is older, or too much, is in the counters and histograms alone.
 */
import type { Convergence } from "@ferry/qemu";

/** Migrations with series of their own, at most. */
const MIGRATIONS_MAX = 256;
/** How long the series of a migration that ended are kept, in milliseconds. */
const KEPT_MS = 5 * 60_000;
/** One scrape asks many times: what was told within this time is told again, in milliseconds. */
const SAME_SCRAPE_MS = 20;
/** A migration passes about ten phases; one that goes round in circles must not grow for ever. */
const PHASES_MAX = 32;

/** How a copy goes, in the words of `@ferry/qemu`'s Progress. */
export interface CopyFacts {
  readonly transferredBytes: number;
  readonly remainingBytes: number;
  readonly totalBytes: number;
  readonly dirtyBytesPerSecond: number;
  readonly transferBytesPerSecond: number;
  readonly bestRemainingBytes: number;
  readonly iteration: number;
  readonly ratio: number;
  readonly etaMs: number | undefined;
  readonly expectedDowntimeMs: number;
  readonly convergence: Convergence;
}

/** What only the migration's owner knows; asked at every scrape. */
export interface MigrationFacts {
  readonly copy?: CopyFacts | undefined;
  readonly downtimeLimitMs?: number;
  readonly meetConnected?: boolean;
}

/** One migration, as it is told at a scrape. */
export interface MigrationTold extends MigrationFacts {
  readonly migrationId: string;
  readonly guestId: string;
  readonly startedAtMs: number;
  /** Every phase passed, with the moment it was last entered; the last one is where it is. */
  readonly phases: ReadonlyMap<string, number>;
  readonly phase: string | undefined;
  readonly over: boolean;
}

interface Followed {
  readonly migrationId: string;
  readonly guestId: string;
  readonly startedAtMs: number;
  readonly phases: Map<string, number>;
  facts: () => MigrationFacts;
  endedAtMs: number | undefined;
}

export interface MigrationSeriesOptions {
  readonly migrationsMax?: number;
  readonly keptMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export class MigrationSeries {
  /** In the order of their beginnings. */
  readonly #live = new Map<string, Followed>();
  /** In the order of their ends. */
  readonly #ended = new Map<string, Followed>();
  readonly #migrationsMax: number;
  readonly #keptMs: number;
  readonly #now: () => number;
  #lately: { readonly atMs: number; readonly told: MigrationTold[] } | undefined;

  constructor({
    migrationsMax = MIGRATIONS_MAX,
    keptMs = KEPT_MS,
    now = Date.now,
  }: MigrationSeriesOptions = {}) {
    this.#migrationsMax = migrationsMax;
    this.#keptMs = keptMs;
    this.#now = now;
  }

  /** A migration is under way; `phase` if it is found in one, after a restart. */
  begin(
    migration: { readonly migrationId: string; readonly guestId: string; readonly startedAt: Date },
    facts: () => MigrationFacts,
    phase?: string,
  ): void {
    const { migrationId, guestId, startedAt } = migration;
    const phases = new Map(phase === undefined ? [] : [[phase, this.#now()]]);
    const startedAtMs = startedAt.getTime();
    const followed = { migrationId, guestId, startedAtMs, phases, facts, endedAtMs: undefined };
    this.#live.set(migrationId, followed);
    this.#lately = undefined;
  }

  /** It entered a phase. */
  moved(migrationId: string, phase: string): void {
    const phases = this.#live.get(migrationId)?.phases;
    if (phases === undefined) return;
    this.#lately = undefined;
    phases.delete(phase); // to the end: the last one is where it is
    if (phases.size < PHASES_MAX) phases.set(phase, this.#now());
  }

  /** It is over: what is known of it now is kept for a while, and nobody is asked any more. */
  end(migrationId: string): void {
    const followed = this.#live.get(migrationId);
    if (followed === undefined) return;
    this.#live.delete(migrationId);
    this.#lately = undefined;
    const last = followed.facts();
    followed.facts = () => last;
    followed.endedAtMs = this.#now();
    this.#ended.set(migrationId, followed);
    for (const id of this.#ended.keys()) {
      if (this.#ended.size <= this.#migrationsMax) break;
      this.#ended.delete(id);
    }
  }

  /** Those that are told now: what is under way first, then what ended last. */
  told(): MigrationTold[] {
    const atMs = this.#now();
    if (this.#lately !== undefined && atMs - this.#lately.atMs < SAME_SCRAPE_MS) {
      return this.#lately.told;
    }
    const oldest = atMs - this.#keptMs;
    for (const [id, { endedAtMs = 0 }] of this.#ended) {
      if (endedAtMs > oldest) break;
      this.#ended.delete(id);
    }
    const ended = [...this.#ended.values()].reverse();
    const told = [...this.#live.values(), ...ended].slice(0, this.#migrationsMax).map(tell);
    this.#lately = { atMs, told };
    return told;
  }

  /** Migrations under way that have no series of their own, because there are too many. */
  get untold(): number {
    return Math.max(0, this.#live.size - this.#migrationsMax);
  }
}

function tell({ facts, endedAtMs, ...followed }: Followed): MigrationTold {
  const phase = [...followed.phases.keys()].at(-1);
  return { ...followed, ...facts(), phase, over: endedAtMs !== undefined };
}
