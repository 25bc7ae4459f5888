/*
 * A person stood in for this destination, and the guest runs here. Should that host come back, with
 * an arrival that nobody ended, it must hear that it was overridden before anybody can land it: so
 * it is told `recalled`, on every beat, for as long as it takes.
 */
import { fromWireVerdict, toWireVerdict } from "@ferry/agent-kit";
import { SourceWord, Verdict as WireVerdict } from "@ferry/contract";
import type { Host } from "./host.js";
import { MeetCall } from "./meet-call.js";

/** A destination that was overridden, and the arrival it may still have. */
export interface Overridden {
  readonly migrationId: string;
  readonly guestId: string;
  readonly peerAgentId: string;
  readonly destinationAddress: string;
  readonly arrival: string;
}

type ReminderHost = Pick<Host, "agentId" | "config" | "dialPeer" | "log" | "metrics">;

/** `told` is called once, when the destination has said what became of that arrival. */
export function remind(
  { migrationId, guestId, peerAgentId, destinationAddress, arrival }: Overridden,
  { agentId, config, dialPeer, log, metrics }: ReminderHost,
  told: () => Promise<void>,
): MeetCall {
  let heard: WireVerdict = WireVerdict.UNSPECIFIED;
  const call = new MeetCall({
    beatMs: config.timeouts.beatMs,
    dial: () => dialPeer(destinationAddress, peerAgentId),
    say: () => ({
      migrationId,
      guestId,
      sourceAgentId: agentId,
      arrival: BigInt(arrival),
      word: SourceWord.RECALLED,
      acknowledged: heard,
      stoppedAtUs: 0n,
      bandwidthBytesPerSecond: 0n,
      transferBytesPerSecond: 0n,
    }),
    heard: (response) => {
      if (response.arrival.toString() !== arrival) return;
      const verdict = fromWireVerdict(response.verdict);
      if (verdict === undefined || verdict === "pending") return;
      if (heard === WireVerdict.UNSPECIFIED) {
        // Acknowledged, so that what perished there is cleared away; it answers once that is done.
        heard = toWireVerdict(verdict);
        call.restate();
        return;
      }
      call.close();
      if (verdict === "landed") {
        metrics.conflicts.inc({ role: "source" });
        log.fatal(
          { migration_id: migrationId, guest_id: guestId },
          "the destination that was overridden says the guest landed there: two copies may run; a person must stop one of them",
        );
      }
      told().catch((error: unknown) =>
        log.warn({ migration_id: migrationId, err: error }, "not written that it was told"),
      );
    },
    broke: () => {}, // expected of a host that is gone; it is dialled again
  });
  return call;
}
