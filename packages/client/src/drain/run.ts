/*
 * A drain under way: looks, plans, moves, and looks again, until nothing is left that can go. Each guest
 * is its source's or its target's by the same promises as if it were moved by hand. Nothing is kept
 * between two drains: what a host still has is all that a drain needs to know, so that running it again
 * goes on where it stopped.
 */
import { Feed } from "../feed.js";
import { isOver } from "./aftermath.js";
import { Bell } from "./bell.js";
import { Ledger } from "./ledger.js";
import { changesOnly, LOOK_MS, look, worthWaiting } from "./looks.js";
import { Moves } from "./moves.js";
import type { RunOptions } from "./options.js";
import { Places } from "./places.js";
import { progressOf } from "./progress.js";
import { reportOf } from "./report.js";
import { arrivalsAt } from "./survey.js";
import type { DrainEvent, DrainPlan, DrainReport, DrainState, LeftGuest } from "./words.js";

export class DrainWork {
  readonly feed = new Feed<DrainEvent>();
  readonly plan: Promise<DrainPlan>;
  #planned: (plan: DrainPlan) => void = () => {};
  #unplanned: (error: unknown) => void = () => {};
  readonly #startedAt = performance.now();
  readonly #bell = new Bell();
  readonly #awaiting = changesOnly((message) => this.feed.push({ kind: "waiting", message }));
  readonly #ledger = new Ledger(this.feed);
  readonly #places: Places;
  readonly #moves: Moves;
  #state: DrainState = "running";
  /** The share of the drain that was told last. */
  #told = 0;
  /** What the last look left. */
  #unplaced: readonly LeftGuest[] = [];

  constructor(readonly options: RunOptions) {
    this.#places = new Places(options.to);
    this.#moves = new Moves({
      options,
      ledger: this.#ledger,
      places: this.#places,
      bell: this.#bell,
      state: () => this.#state,
      tell: () => this.#tell(),
    });
    this.plan = new Promise((resolve, reject) => {
      this.#planned = resolve;
      this.#unplanned = reject;
    });
    this.plan.catch(() => {}); // whoever awaits it is told; nobody has to
  }

  get state(): DrainState {
    return this.#state;
  }

  /** Begins no more moves until resumed. */
  pause(): void {
    if (this.#state === "running") this.#become("paused");
  }

  resume(): void {
    if (this.#state === "paused") this.#become("running");
  }

  /** Begins no more moves; those under way end as they will. */
  end(): void {
    if (this.#state === "running" || this.#state === "paused") this.#become("ending");
  }

  /** Ends those under way too, cleanly: a guest that has landed by then has landed. */
  abort(): void {
    if (this.#state === "aborting") return;
    this.#become("aborting");
    this.#moves.abort();
  }

  async run(): Promise<DrainReport> {
    try {
      await this.#rounds();
      const report = await this.#report();
      this.feed.push({ kind: "report", report });
      return report;
    } catch (error) {
      this.#unplanned(error);
      throw error;
    } finally {
      this.feed.end();
    }
  }

  /** Looks and moves, until a look shows nothing more to do. */
  async #rounds(): Promise<void> {
    const { patienceMs } = this.options;
    let idleSince: number | undefined;
    for (let round = 0; ; round += 1) {
      const plan = await this.#look().catch((error: unknown) => {
        if (round === 0) throw error;
        return undefined; // what was moved is told all the same, and that the host did not answer
      });
      if (plan === undefined) return;
      if (round === 0 || plan.moves.length > 0) this.feed.push({ kind: "plan", plan });
      this.#planned(plan);
      this.#unplaced = plan.left;
      this.#places.take(plan);
      this.#moves.take(plan);
      if (plan.moves.length > 0) {
        idleSince = undefined;
        await this.#moves.all();
        if (isOver(this.#state)) return;
        continue;
      }
      if (isOver(this.#state)) return;
      idleSince ??= performance.now();
      const idleMs = performance.now() - idleSince;
      const message = worthWaiting(plan, { idleMs, patienceMs });
      if (message === undefined) return;
      await this.#wait(message);
    }
  }

  #look(): Promise<DrainPlan> {
    return look({
      options: this.options,
      done: () => this.#ledger.done(),
      isOver: () => isOver(this.#state),
      silent: (message) => this.#wait(message),
    });
  }

  /** Until the next look. */
  #wait(message: string): Promise<void> {
    this.#awaiting(message);
    return this.#bell.wait(LOOK_MS);
  }

  async #report(): Promise<DrainReport> {
    const { from } = this.options;
    const [residents, arriving] = await Promise.all([
      from.host.guests.list({ timeoutMs: LOOK_MS }).then(
        (guests) => guests.map(({ guestId }) => guestId),
        () => undefined,
      ),
      arrivalsAt(from),
    ]);
    const { moved, left, gone } = this.#ledger;
    const unplaced = this.#unplaced.filter(({ guestId }) => !left.has(guestId));
    return reportOf({
      from: from.name,
      moved,
      left: [...left.values(), ...unplaced],
      gone: [...gone],
      durationMs: performance.now() - this.#startedAt,
      residents,
      arriving,
      early: isOver(this.#state),
    });
  }

  #become(state: DrainState): void {
    this.#state = state;
    this.feed.push({ kind: "state", state });
    this.#tell();
    this.#bell.ring();
  }

  #tell(): void {
    const { moved, movedBytes, left, factor } = this.#ledger;
    const { active, waiting, parallel } = this.#moves;
    const progress = progressOf({
      active,
      waiting,
      moved: moved.length,
      movedBytes,
      left: left.size,
      parallel,
      slots: this.#places.slots(),
      factor,
      state: this.#state,
      told: this.#told,
    });
    this.#told = progress.ratio;
    this.feed.push({ kind: "progress", progress });
  }
}
