/* What has become of the guests of a drain so far. Whoever writes here tells its watchers. */
import type { Feed } from "../feed.js";
import type { Outcome } from "../outcome.js";
import { Experience } from "./forecast.js";
import { firstOfItsKind, NEXT } from "./texts.js";
import type { Active, Waiting } from "./waiting.js";
import type { DrainEvent, LeftGuest, LeftReason, MovedGuest, Obstacle } from "./words.js";

/** Why a guest stays, and in which migration that was seen. */
export interface WhyLeft {
  readonly reason: LeftReason;
  readonly description: string;
  readonly migrationId?: string;
  /** Beside those of its earlier tries. */
  readonly obstacles?: readonly Obstacle[];
}

export class Ledger {
  readonly moved: MovedGuest[] = [];
  readonly left = new Map<string, LeftGuest>();
  /** Guests that were not there any more when their turn came. */
  readonly gone = new Set<string>();
  /** The memory of those that moved, in bytes. */
  movedBytes = 0;
  readonly #experience = new Experience();

  constructor(readonly feed: Feed<DrainEvent>) {}

  /** How many times longer than foretold moves have taken. */
  get factor(): number {
    return this.#experience.factor;
  }

  /** Left for good, or moved with its old host yet to let go of it. One that has come back is not. */
  isDone(guestId: string): boolean {
    const unsettled = this.moved.some((each) => each.guestId === guestId && !each.settled);
    return unsettled || this.left.has(guestId);
  }

  /** Those that nobody needs to be asked about again. */
  done(): string[] {
    const known = [...this.left.keys(), ...this.moved.map(({ guestId }) => guestId)];
    return known.filter((id) => this.isDone(id));
  }

  landed({ waiting, to, migrationId }: Active, outcome: Outcome): void {
    const { blackoutMs, qemuDowntimeMs, durationMs, guestState, settled } = outcome;
    const moved: MovedGuest = {
      guestId: waiting.guestId,
      to,
      migrationId,
      blackoutMs: blackoutMs ?? qemuDowntimeMs,
      durationMs,
      state: guestState,
      tries: waiting.tries + 1,
      settled,
    };
    this.#experience.learn(waiting.takesMs, durationMs);
    this.moved.push(moved);
    this.movedBytes += waiting.memoryBytes;
    this.feed.push({ kind: "moved", moved });
  }

  leave(waiting: Waiting, { reason, description, migrationId, obstacles = [] }: WhyLeft): void {
    const { guestId } = waiting;
    const next = NEXT[reason];
    const all = [...waiting.obstacles, ...obstacles].filter(firstOfItsKind);
    const left = { guestId, reason, description, obstacles: all, migrationId, next };
    this.left.set(guestId, left);
    this.feed.push({ kind: "left", left });
  }

  lost({ guestId }: Waiting): void {
    this.gone.add(guestId);
    this.feed.push({ kind: "gone", guestId });
  }
}
