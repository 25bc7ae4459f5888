/*
 * Confirm(override): a person stands in for a destination host that is gone, so that the guest may
 * run here again without its `returned`. The destination is told so, for as long as it takes: that it
 * was overridden is in the record, and in every ending, before the guest is touched.
 */
import { ANSWERS_WITHIN_MS, hostIdOfAgent, override, type PeerIdentity } from "@ferry/agent-kit";
import type { ConfirmOverride } from "@ferry/contract";
import { AWAITS, type Departure } from "./departure.js";

export function overrideDestination(
  departure: Departure,
  asked: ConfirmOverride,
  peer: PeerIdentity,
): Promise<void> {
  const { migrationId, guestId, host, meet, record } = departure;
  return override({
    peer,
    asked,
    fenced: {
      role: "destination",
      hostId: hostIdOfAgent(record.destinationAgentId),
      answers: meet !== undefined && !meet.silent(ANSWERS_WITHIN_MS),
    },
    statement: {
      field: "never_landed",
      made: asked.neverLanded,
      because: "if the guest ran there, its older copy must not wake here",
    },
    migrationId,
    guestId,
    host,
    refusal: () => refusal(departure),
    hear: (who) => departure.hearOverride(who),
  });
}

function refusal({ verdictHeard, phase }: Departure): string | undefined {
  if (verdictHeard === "landed" || verdictHeard === "perished") {
    return `the destination has said ${verdictHeard}: the guest may have run there`;
  }
  if (AWAITS.has(phase)) return undefined;
  return `the departure is ${phase}: it waits for no word of the destination`;
}
