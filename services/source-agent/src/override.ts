/*
 * Confirm(override): a person stands in for a destination that is gone, or that has lost what it knew, or
 * decides about a guest that perished there: the guest runs here again without its `returned`, or its copy
 * here is destroyed. The destination is told so, for as long as it takes: that it was overridden is in the
 * record, and in every ending, before the guest is touched.
 */
import {
  ANSWERS_WITHIN_MS,
  hostIdOfAgent,
  override,
  type PeerIdentity,
  type Statement,
} from "@ferry/agent-kit";
import { type ConfirmOverride, Fault } from "@ferry/contract";
import type { Departure } from "./departure.js";
import { AWAITS } from "./phases.js";

export async function overrideDestination(
  departure: Departure,
  asked: ConfirmOverride,
  peer: PeerIdentity,
): Promise<void> {
  const { migrationId, guestId, host, meet, record } = departure;
  // An agent that has just started does not know yet whether the other one answers, nor what it says.
  const answers = (await meet?.answers(ANSWERS_WITHIN_MS)) ?? false;
  const perished = departure.verdictHeard === "perished";
  if (asked.acceptPerished && !perished) {
    throw new Fault(
      "OVERRIDE_REFUSED",
      "the destination has not said perished: there is nothing to accept",
    );
  }
  // Neither has anything more to say: the one has said it, the other does not know it.
  const asksInVain = perished || departure.isForgotten;
  const choice = choiceOf(asked, perished);
  const standsStill = perished || !asked.giveUp || (await departure.standsStill());
  await override({
    peer,
    asked,
    fenced: {
      role: "destination",
      hostId: hostIdOfAgent(record.destinationAgentId),
      answers: !asksInVain && answers,
    },
    statement: statementOf(asked, perished),
    ...(choice === undefined ? {} : { choice }),
    migrationId,
    guestId,
    host,
    refusal: () => {
      if (!perished && departure.verdictHeard === "perished") {
        return "the destination has just said perished: say accept_perished";
      }
      if (!asksInVain && meet?.silent(ANSWERS_WITHIN_MS) === false) {
        return "the destination agent answers by now: it is not gone, and must be asked";
      }
      if (standsStill) return refusal(departure, asked);
      return "the guest runs here, or its QEMU has not said that it stands still: nothing is given up that runs";
    },
    hear: (who) => departure.hearOverride(who, asked.giveUp),
  });
}

/** What becomes of the guest, and on what grounds, where there was a choice. */
function choiceOf({ giveUp, forgotten }: ConfirmOverride, perished: boolean): string | undefined {
  const grounds = [...(perished ? ["perished"] : []), ...(forgotten ? ["forgotten there"] : [])];
  if (grounds.length === 0 && !giveUp) return undefined;
  return [...grounds, giveUp ? "given up" : "taken back"].join(", ");
}

function statementOf(asked: ConfirmOverride, perished: boolean): Statement {
  if (perished) {
    return {
      field: "accept_perished",
      made: asked.acceptPerished,
      because: "the destination has said perished: the guest may have run there for a moment",
    };
  }
  return {
    field: "never_landed",
    made: asked.neverLanded || asked.giveUp, // what is destroyed does not wake
    because:
      "if the guest ran there, its older copy must not wake here (give_up has it destroyed instead)",
  };
}

function refusal(
  { verdictHeard, phase, isForgotten }: Departure,
  { forgotten, giveUp }: ConfirmOverride,
): string | undefined {
  if (verdictHeard === "landed") return "the destination has said landed: the guest ran there";
  if (isForgotten && !forgotten) {
    return "the destination agent answers, and knows nothing of this migration: what runs on its host it does not know either. Make sure that no QEMU of this guest is there, and say forgotten";
  }
  if (forgotten && !isForgotten) {
    return "the destination agent has not said that it knows nothing of this migration";
  }
  if (giveUp && phase === "reclaimed") return "the guest runs here: there is nothing to give up";
  if (AWAITS.has(phase)) return undefined;
  return `the departure is ${phase}: it waits for no word of the destination`;
}
