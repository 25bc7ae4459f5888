/* What a drain keeps of a guest that waits for its turn, and of one that moves. */
import { randomUUID } from "node:crypto";
import type { Seeker } from "./places.js";
import type { Moving, Obstacle, PlannedMove } from "./words.js";

/** A guest that waits for its turn. */
export interface Waiting extends Seeker {
  readonly guestId: string;
  readonly takesMs: number;
  readonly avoid: Set<string>;
  readonly shunned: Set<string>;
  readonly obstacles: Obstacle[];
  /** As `performance.now()` tells it, in milliseconds. */
  notBefore: number;
  /** Since when it has only waited for something that passes. */
  waitsSince: number | undefined;
  tries: number;
}

/** A guest that moves. */
export interface Active {
  readonly waiting: Waiting;
  readonly to: string;
  readonly migrationId: string;
  readonly abort: AbortController;
  phase: string;
  ratio: number;
  transferBytesPerSecond: number;
}

export function waitingFor({ guestId, memoryBytes, to, others, takesMs }: PlannedMove): Waiting {
  return {
    guestId,
    memoryBytes,
    takesMs,
    to,
    fits: [to, ...others],
    avoid: new Set(),
    shunned: new Set(),
    obstacles: [],
    notBefore: 0,
    waitsSince: undefined,
    tries: 0,
  };
}

export function activeFor(waiting: Waiting, to: string): Active {
  return {
    waiting,
    to,
    migrationId: randomUUID(),
    abort: new AbortController(),
    phase: "",
    ratio: 0,
    transferBytesPerSecond: 0,
  };
}

/** As its drain's watchers see it. */
export function movingOf(active: Active): Moving {
  const { waiting, to, migrationId, phase, ratio, transferBytesPerSecond } = active;
  return { guestId: waiting.guestId, to, migrationId, phase, ratio, transferBytesPerSecond };
}
