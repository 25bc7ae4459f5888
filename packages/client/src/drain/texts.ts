/* What a drain says of a guest that has not moved: why, what is in its way, and what its operator does next. Pure. */
import { inWords } from "./blockers.js";
import type { Ending, LeftReason, Obstacle } from "./words.js";

export const ENDED = "the drain was ended before it was moved";

export const NEXT: Readonly<Record<LeftReason, string>> = {
  excluded: "Nothing: it was your choice.",
  blocked: "Remove what blocks it, then drain again.",
  "no-target": "Mend what is listed, or name another target; then drain again.",
  failed: "It runs on where it was. Look into what is listed, then drain again.",
  ended: "It runs on where it was. Drain again: it goes on where this one stopped.",
  pending: "Do nothing to it. `ferry resolve` tells where it is once the agents have settled it.",
  perished: "Decide yourself: it may have run at the target. Start it nowhere before.",
};

/** Why a move came to nothing, whether it was refused or failed. */
export function wordsOf(ending: Ending) {
  if ("refused" in ending) return ending.refused;
  const { why, next } = ending.outcome;
  return {
    reason: why?.reason ?? "UNKNOWN",
    description: why?.description ?? next,
    blockers: why?.blockers ?? [],
    retryAfterMs: undefined,
  };
}

/** Everything that was in the way of a move to `to`, and on which host: a refusal is the source's. */
export function obstaclesOf(ending: Ending, from: string, to: string): readonly Obstacle[] {
  const { reason, description, blockers } = wordsOf(ending);
  const host = "refused" in ending ? from : to;
  const told = blockers.length > 0 ? blockers : [{ reason, subject: to, description }];
  return told.map((blocker) => ({ host, blocker }));
}

/** Five tries that failed alike are told once. */
export function firstOfItsKind(each: Obstacle, index: number, all: readonly Obstacle[]): boolean {
  const same = ({ host, blocker }: Obstacle) =>
    host === each.host && inWords([blocker]) === inWords([each.blocker]);
  return all.findIndex(same) === index;
}
