/*
 * Which obstacles go away by themselves. The contract says so of a fault by RetryInfo; a blocker of a
 * dry run has no such word, so those that are about the moment are named here.
 */
import type { Blocker } from "@ferry/contract";

/** What is in the way now and need not be in a while. */
const PASSING: ReadonlySet<string> = new Set([
  "NO_SLOT",
  "NO_PORT",
  "GUEST_BUSY",
  "DRAINING",
  "STARTING",
]);

/** States of a guest that last a moment: what its host says of it then says nothing of later. */
const PASSING_STATES: ReadonlySet<string> = new Set(["starting", "migrating_out", "stopping"]);

export function passes({ reason }: Blocker): boolean {
  return PASSING.has(reason);
}

export function stateIsPassing(state: string): boolean {
  return PASSING_STATES.has(state);
}

/** "NO_SLOT: as many guests …; …" */
export function inWords(blockers: readonly Blocker[]): string {
  return blockers.map(({ reason, description }) => `${reason}: ${description}`).join("; ");
}
