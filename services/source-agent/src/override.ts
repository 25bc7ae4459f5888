/*
 * Confirm(override): a person stands in for a destination host that is gone, so that the guest may
 * run here again without its `returned`; or decides about a guest that perished there. The destination is told so, for as long as it takes: that it
 * was overridden is in the record, and in every ending, before the guest is touched.
 */
import { ANSWERS_WITHIN_MS, hostIdOfAgent, override, type PeerIdentity } from "@ferry/agent-kit";
import { type ConfirmOverride, Fault } from "@ferry/contract";
import { AWAITS, type Departure } from "./departure.js";

export async function overrideDestination(
  departure: Departure,
  asked: ConfirmOverride,
  peer: PeerIdentity,
): Promise<void> {
  const { migrationId, guestId, host, meet, record } = departure;
  const perished = departure.verdictHeard === "perished";
  const { acceptPerished, giveUp } = asked;
  if ((acceptPerished || giveUp) && !perished) {
    throw new Fault(
      "OVERRIDE_REFUSED",
      "the destination has not said perished: there is nothing to accept, and nothing to give up",
    );
  }
  await override({
    peer,
    asked,
    fenced: {
      role: "destination",
      hostId: hostIdOfAgent(record.destinationAgentId),
      // It has said all it will ever say.
      answers: !perished && meet !== undefined && !meet.silent(ANSWERS_WITHIN_MS),
    },
    statement: perished
      ? {
          field: "accept_perished",
          made: acceptPerished,
          because: "the destination has said perished: the guest may have run there for a moment",
        }
      : {
          field: "never_landed",
          made: asked.neverLanded,
          because: "if the guest ran there, its older copy must not wake here",
        },
    ...(perished ? { choice: giveUp ? "perished, given up" : "perished, taken back" } : {}),
    migrationId,
    guestId,
    host,
    refusal: () => refusal(departure),
    hear: (who) => departure.hearOverride(who, giveUp),
  });
}

function refusal({ verdictHeard, phase }: Departure): string | undefined {
  if (verdictHeard === "landed") return "the destination has said landed: the guest ran there";
  if (AWAITS.has(phase)) return undefined;
  return `the departure is ${phase}: it waits for no word of the destination`;
}
