/* What became of a drain, and what its operator does next. Pure. */
import type { DrainReport, LeftGuest, MovedGuest } from "./words.js";

export interface Ended {
  readonly from: string;
  readonly moved: readonly MovedGuest[];
  readonly left: readonly LeftGuest[];
  readonly gone: readonly string[];
  readonly durationMs: number;
  /** Guests that live there now; undefined: the host did not say. */
  readonly residents: readonly string[] | undefined;
  readonly arriving: number;
  /** It was told to end before all was done. */
  readonly early: boolean;
}

export function reportOf(ended: Ended): DrainReport {
  const { from, moved, left, gone, durationMs, residents, arriving } = ended;
  const blackouts = moved.flatMap(({ blackoutMs }) => blackoutMs ?? []);
  return {
    from,
    empty: residents?.length === 0 && arriving === 0,
    moved,
    left,
    gone,
    durationMs,
    blackoutMaxMs: blackouts.length === 0 ? undefined : Math.max(...blackouts),
    next: nextOf(ended),
  };
}

function nextOf({ from, moved, left, residents, arriving, early }: Ended): string[] {
  const next: string[] = [];
  const of = (...reasons: LeftGuest["reason"][]) =>
    left.filter(({ reason }) => reasons.includes(reason)).map(({ guestId }) => guestId);
  for (const { guestId, migrationId, reason } of left) {
    if (reason === "pending")
      next.push(`Ask where ${guestId} is: \`ferry resolve ${migrationId}\`.`);
    if (reason === "perished") {
      next.push(
        `Decide about ${guestId} yourself, and start it nowhere before: migration ${migrationId} perished.`,
      );
    }
  }
  const unsettled = moved.filter(({ settled }) => !settled).map(({ guestId }) => guestId);
  if (unsettled.length > 0) {
    next.push(`Leave ${from}'s agents running until it has let ${listed(unsettled)} go.`);
  }
  const stuck = of("blocked", "no-target");
  if (stuck.length > 0) next.push(`Mend what stands in the way of ${listed(stuck)}, as listed.`);
  const failed = of("failed");
  if (failed.length > 0) next.push(`Look into why ${listed(failed)} could not be moved.`);
  if (stuck.length > 0 || failed.length > 0 || (early && residents?.length !== 0)) {
    next.push("Drain again: it goes on where this one stopped.");
  }
  if (residents === undefined) next.push(`Ask ${from} which guests it still has: it did not say.`);
  if (arriving > 0) next.push(`Drain again: ${arriving} more on their way to ${from}.`);
  const kept = of("excluded");
  if (next.length === 0 && kept.length > 0) {
    next.push(`${listed(kept)}: on ${from} as you wished, so it is not empty.`);
  }
  return next;
}

function listed(names: readonly string[]): string {
  return names.length <= 5
    ? names.join(", ")
    : `${names.slice(0, 5).join(", ")} and ${names.length - 5} more`;
}
