/*
 * Finish(override): a person stands in for a source host that is gone, so that the only good copy
 * left may land without its `released`.
 */
import {
  ANSWERS_WITHIN_MS,
  hostIdOfAgent,
  invalid,
  override,
  type PeerIdentity,
} from "@ferry/agent-kit";
import type { FinishOverride } from "@ferry/contract";
import type { Arrival } from "./arrival.js";

/** Phases in which an override lands the guest. */
const WAITING: ReadonlySet<string> = new Set(["loaded", "loadedOrdered", "loadedReleased"]);

export async function overrideSource(
  arrival: Arrival,
  asked: FinishOverride | undefined,
  peer: PeerIdentity,
): Promise<void> {
  if (asked === undefined) throw invalid("override", "who is gone, why, and what is understood");
  const { migrationId, guestId, host, record } = arrival;
  await override({
    peer,
    asked,
    fenced: {
      role: "source",
      hostId: hostIdOfAgent(record.arrival.sourceAgentId),
      answers: arrival.heardSourceWithin(ANSWERS_WITHIN_MS),
    },
    statement: {
      field: "accept_older_memory",
      made: asked.acceptOlderMemory,
      because: "the source may have run on after this copy was made",
    },
    migrationId,
    guestId,
    host,
    refusal: () =>
      WAITING.has(arrival.phase)
        ? undefined
        : `the arrival is ${arrival.phase}: only a guest that is loaded and waits for its source can be landed so`,
    hear: (who) => arrival.hearOverride(who),
  });
}
