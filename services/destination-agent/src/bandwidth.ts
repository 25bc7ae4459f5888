/*
 * How fast guests may arrive: the host's budget, divided among the arrivals that receive. Each source is
 * told its share over Meet, with every beat, and keeps to it; so a change is in force within a beat.
 */
import { share } from "@ferry/agent-kit";
import type { Arrival } from "./arrival.js";

/** Phases in which memory comes in. */
const RECEIVING: ReadonlySet<string> = new Set(["receiving", "receivingOrdered"]);

/** What `arrival` may use of `budget`, in bytes per second; undefined: no limit. */
export function bandwidthOf(
  arrival: Arrival,
  budget: number | undefined,
  underWay: readonly Arrival[],
): number | undefined {
  if (budget === undefined) return undefined;
  const members = underWay.filter((each) => each === arrival || RECEIVING.has(each.phase));
  const shares = share(
    budget,
    members.map((each) => each.bandwidthWanted || undefined),
  );
  return shares[members.indexOf(arrival)];
}

/** What all of them may use together, for the metrics. */
export function bandwidthAllotted(
  budget: number | undefined,
  underWay: readonly Arrival[],
): number {
  const members = underWay.filter((each) => RECEIVING.has(each.phase));
  return members.reduce((sum, each) => sum + (bandwidthOf(each, budget, underWay) ?? 0), 0);
}

/** What they use together, as their sources told within `freshMs`: of a source that is silent nothing is known. */
export function bandwidthUsed(underWay: readonly Arrival[], freshMs: number): number {
  return underWay
    .filter((each) => RECEIVING.has(each.phase) && each.heardSourceWithin(freshMs))
    .reduce((sum, each) => sum + each.bandwidthUsed, 0);
}
