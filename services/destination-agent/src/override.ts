/*
 * Finish(override): a person stands in for a source host that is gone, so that the only good copy
 * left may land without its `released`. The person's word is written down before anything is done.
 */
import { invalid, type PeerIdentity, requireAsk } from "@ferry/agent-kit";
import { Fault, type FinishOverride } from "@ferry/contract";
import type { Arrival } from "./arrival.js";

const REASON_CHARACTERS_MAX = 1024;
/** A source that spoke within this time is not gone, in milliseconds. */
const ANSWERS_WITHIN_MS = 5_000;

export async function overrideSource(
  arrival: Arrival,
  override: FinishOverride | undefined,
  peer: PeerIdentity,
): Promise<void> {
  const who = requireAsk(peer, "override");
  const { fencedHost, reason } = check(arrival, override);
  if (arrival.heardSourceWithin(ANSWERS_WITHIN_MS)) {
    throw new Fault(
      "OVERRIDE_REFUSED",
      `the source agent on ${fencedHost} answers: it is not gone, and must be asked`,
    );
  }
  if (!WAITING.has(arrival.phase)) {
    throw new Fault(
      "OVERRIDE_REFUSED",
      `the arrival is ${arrival.phase}: only a guest that is loaded and waits for its source can be landed so`,
    );
  }
  const { migrationId, guestId, host } = arrival;
  await host.audit.append({ what: "override", who, migrationId, guestId, reason });
  host.metrics.overrides.inc({ role: "destination" });
  host.log.warn({ migration_id: migrationId, guest_id: guestId, who, reason }, "overridden");
  arrival.overridden = `${who}: ${reason}`;
  const heard = await arrival.hear("override");
  if (heard.answer !== "refuse") return;
  throw new Fault("OVERRIDE_REFUSED", `the arrival is ${heard.phase} by now: nothing was done`);
}

/** Phases in which an override lands the guest. */
const WAITING: ReadonlySet<string> = new Set(["loaded", "loadedOrdered", "loadedReleased"]);

function check(arrival: Arrival, override: FinishOverride | undefined): FinishOverride {
  if (override === undefined) throw invalid("override", "who is gone, why, and what is understood");
  const { fencedHost, reason, acceptOlderMemory } = override;
  const sourceHost = arrival.record.arrival.sourceAgentId.replace(/\/source$/, "");
  if (fencedHost !== sourceHost) {
    throw invalid("override.fenced_host", `the guest's source is on "${sourceHost}"`);
  }
  if (reason.trim() === "" || reason.length > REASON_CHARACTERS_MAX) {
    throw invalid("override.reason", `1 to ${REASON_CHARACTERS_MAX} characters, for the audit log`);
  }
  if (!acceptOlderMemory) {
    throw invalid(
      "override.accept_older_memory",
      "must be true: the source may have run on after this copy was made",
    );
  }
  return override;
}
