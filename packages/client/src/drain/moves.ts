/*
 * The moves of a drain: guests wait for their turn, and a few move at once. It only calls `migrate()`: no
 * guest is ever stopped or paused, whatever fails.
 */
import { Aftermath, type AftermathOptions, isOver } from "./aftermath.js";
import type { Bell } from "./bell.js";
import { shareOf } from "./forecast.js";
import { moveOnce } from "./move.js";
import { ENDED } from "./texts.js";
import { type Active, activeFor, type Waiting, waitingFor } from "./waiting.js";
import type { DrainPlan } from "./words.js";

/** Nothing may begin by itself: somebody rings sooner, in milliseconds. */
const IDLE_MS = 60_000;

export interface MovesOptions extends AftermathOptions {
  readonly bell: Bell;
  /** Something of its progress has changed. */
  tell(): void;
}

export class Moves {
  readonly waiting: Waiting[] = [];
  readonly #active = new Map<string, Active>();
  readonly #aftermath: Aftermath;
  parallel = 1;

  constructor(readonly scene: MovesOptions) {
    this.#aftermath = new Aftermath(scene);
  }

  get active(): Active[] {
    return [...this.#active.values()];
  }

  /** They wait for their turn, in the plan's order. */
  take({ parallel, moves }: DrainPlan): void {
    this.parallel = parallel;
    this.waiting.push(...moves.map(waitingFor));
    this.scene.tell();
  }

  /** Until all of them have moved or are left, or the drain ends. */
  async all(): Promise<void> {
    while (this.waiting.length > 0 || this.#active.size > 0) {
      if (this.#over && this.#active.size === 0) break;
      if (this.scene.state() === "running") this.#startMore();
      if (this.waiting.length > 0 || this.#active.size > 0) {
        await this.scene.bell.wait(this.#untilNext());
      }
    }
    const why = { reason: "ended", description: ENDED } as const;
    for (const waiting of this.waiting.splice(0)) this.#aftermath.leave(waiting, why);
  }

  /** Ends those under way, cleanly. */
  abort(): void {
    for (const { abort } of this.#active.values()) abort.abort();
  }

  get #over(): boolean {
    return isOver(this.scene.state());
  }

  #startMore(): void {
    const now = performance.now();
    for (const waiting of [...this.waiting]) {
      if (this.#active.size >= this.parallel) return;
      if (waiting.notBefore > now) continue;
      const to = this.scene.places.choose(waiting, now);
      if (to !== undefined) this.#start(waiting, to);
      else this.#waitOrLeave(waiting, now);
    }
  }

  /** No place now: perhaps one of its targets is only left alone, or full of this drain's own guests. */
  #waitOrLeave(waiting: Waiting, now: number): void {
    const until = this.scene.places.coolUntil(waiting, now);
    if (until !== undefined) waiting.notBefore = until;
    else if (this.#active.size === 0) {
      this.#drop(waiting);
      const description = "no target takes it any more";
      this.#aftermath.leave(waiting, { reason: "failed", description });
    }
  }

  /** Until something may begin by itself, in milliseconds. */
  #untilNext(): number {
    const now = performance.now();
    const times = this.waiting.map(({ notBefore }) => notBefore).filter((time) => time > now);
    if (times.length === 0 || this.scene.state() !== "running") return IDLE_MS;
    return Math.min(...times) - now;
  }

  #start(waiting: Waiting, to: string): void {
    const { options, ledger, places, bell, tell } = this.scene;
    this.#drop(waiting);
    places.enter(waiting, to);
    const active = activeFor(waiting, to);
    const { guestId, tries } = waiting;
    const { migrationId } = active;
    this.#active.set(guestId, active);
    ledger.feed.push({ kind: "started", guestId, to, migrationId, attempt: tries + 1 });
    tell();
    const share = shareOf(options.bandwidthBytesPerSecond, this.parallel);
    const about = { ...options, bandwidthBytesPerSecond: share };
    void moveOnce(active, places.host(to).host, about, tell)
      .then(async (ending) => {
        if (await this.#aftermath.of(active, ending)) this.waiting.push(waiting);
      })
      .catch((error: unknown) => {
        // Nothing here throws; if it did, the guest is where the agents say, and nobody else is held up.
        const description = error instanceof Error ? error.message : String(error);
        this.#aftermath.leave(waiting, { reason: "failed", description, migrationId });
      })
      .finally(() => {
        this.#active.delete(guestId);
        places.leave(to);
        tell();
        bell.ring();
      });
  }

  #drop(waiting: Waiting): void {
    const index = this.waiting.indexOf(waiting);
    if (index >= 0) this.waiting.splice(index, 1);
  }
}
