/*
 * What is told of this host's guests when somebody scrapes: how many there are, and which of them this host
 * runs. A guest whose custody was given away is nobody's until its destination says so.
 */
import type { Metrics } from "@ferry/agent-kit";
import { GuestState } from "@ferry/contract";
import type { Departure } from "./departure.js";
import type { Resident } from "./resident.js";

const HERE = { role: "source", tethered: "false", finished: "true" } as const;
const STATES = Object.values(GuestState).filter(
  (state): state is GuestState => typeof state === "number" && state > 0,
);

/** What is asked of the agent's own collections, so that a benchmark may have cheaper ones. */
export interface Told {
  readonly residents: { list(): readonly Pick<Resident, "guestId" | "state" | "dead">[] };
  readonly departures: {
    underWay(): readonly Pick<Departure, "guestId" | "holdsCustody" | "meetConnected">[];
  };
  readonly metrics: Metrics;
  readonly hostId: string;
}

export function tellGuests({ residents, departures, metrics, hostId }: Told): void {
  metrics.guests.reset();
  metrics.owner.reset();
  for (const state of STATES) metrics.guests.set({ state: nameOf(state), ...HERE }, 0); // the last one left: 0, not silence
  const leaving = new Map(departures.underWay().map((each) => [each.guestId, each]));
  for (const { guestId, state, dead } of residents.list()) {
    metrics.guests.inc({ state: nameOf(state), ...HERE });
    const ours = !dead && leaving.get(guestId)?.holdsCustody !== false;
    if (ours) metrics.owner.set({ guest_id: guestId, host_id: hostId }, 1);
  }
  const met = [...leaving.values()].filter(({ meetConnected }) => meetConnected);
  metrics.meets.set({ role: "source" }, met.length);
}

function nameOf(state: GuestState): string {
  return GuestState[state].toLowerCase();
}
