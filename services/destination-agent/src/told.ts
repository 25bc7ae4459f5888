/*
 * What is told of the guests that are arriving here when somebody scrapes. From `landing` on this host runs
 * the guest or is about to; once it has landed, the source agent of this host says so.
 */
import type { Metrics } from "@ferry/agent-kit";
import type { Arrival } from "./arrival.js";

const OURS: ReadonlySet<string> = new Set(["landing", "relanding"]);

export interface Arriving {
  underWay(): readonly Pick<Arrival, "guestId" | "phase" | "tethered">[];
}

export function tellArrivals(arrivals: Arriving, metrics: Metrics, hostId: string): void {
  metrics.guests.reset();
  metrics.owner.reset();
  for (const { guestId, phase, tethered } of arrivals.underWay()) {
    const tied = String(tethered);
    metrics.guests.inc({ role: "destination", state: phase, tethered: tied, finished: "false" });
    if (OURS.has(phase)) metrics.owner.set({ guest_id: guestId, host_id: hostId }, 1);
  }
}
