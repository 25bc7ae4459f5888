/*
 * Confirm(override): a person stands in for a destination host that is gone, so that the guest may
 * run here again without its `returned`. The person's word is written down before anything is done,
 * and the destination is told, for as long as it takes.
 */
import { hostIdOfAgent, invalid, type PeerIdentity, requireAsk } from "@ferry/agent-kit";
import { type ConfirmOverride, Fault } from "@ferry/contract";
import { AWAITS, type Departure } from "./departure.js";

const REASON_CHARACTERS_MAX = 1024;
/** A destination that spoke within this time is not gone, in milliseconds. */
const ANSWERS_WITHIN_MS = 5_000;

export async function overrideDestination(
  departure: Departure,
  override: ConfirmOverride,
  peer: PeerIdentity,
): Promise<void> {
  const who = requireAsk(peer, "override");
  const { fencedHost, reason } = check(departure, override);
  if (departure.meet !== undefined && !departure.meet.silent(ANSWERS_WITHIN_MS)) {
    throw new Fault(
      "OVERRIDE_REFUSED",
      `the destination agent on ${fencedHost} answers: it is not gone, and must be asked`,
    );
  }
  if (departure.verdictHeard === "landed" || departure.verdictHeard === "perished") {
    throw new Fault(
      "OVERRIDE_REFUSED",
      `the destination has said ${departure.verdictHeard}: the guest may have run there`,
    );
  }
  if (!AWAITS.has(departure.phase)) {
    throw new Fault(
      "OVERRIDE_REFUSED",
      `the departure is ${departure.phase}: it waits for no word of the destination`,
    );
  }
  const { migrationId, guestId, host } = departure;
  await host.audit.append({ what: "override", who, migrationId, guestId, reason });
  host.metrics.overrides.inc({ role: "source" });
  host.log.warn({ migration_id: migrationId, guest_id: guestId, who, reason }, "overridden");
  departure.overridden = `${who}: ${reason}`;
  const heard = await departure.hear("override");
  if (heard.answer !== "refuse") return;
  throw new Fault("OVERRIDE_REFUSED", `the departure is ${heard.phase} by now: nothing was done`);
}

function check(departure: Departure, override: ConfirmOverride): ConfirmOverride {
  const { fencedHost, reason, neverLanded } = override;
  const destinationHost = hostIdOfAgent(departure.record.destinationAgentId);
  if (fencedHost !== destinationHost) {
    throw invalid("override.fenced_host", `the guest's destination is on "${destinationHost}"`);
  }
  if (reason.trim() === "" || reason.length > REASON_CHARACTERS_MAX) {
    throw invalid("override.reason", `1 to ${REASON_CHARACTERS_MAX} characters, for the audit log`);
  }
  if (!neverLanded) {
    throw invalid(
      "override.never_landed",
      "must be true: if the guest ran there, its older copy must not wake here",
    );
  }
  return override;
}
