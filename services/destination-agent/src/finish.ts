/*
 * Finish orders the guest to land, or abandons it, and answers with the verdict. It decides
 * nothing itself: it says a word to the arrival's table and waits for what comes of it.
 */
import {
  type CallContext,
  checkAddressee,
  checkMigrationId,
  invalid,
  type PeerIdentity,
  toWireVerdict,
  unknownMigration,
  waitFor,
} from "@ferry/agent-kit";
import { Fault, FinishOrder, type FinishRequest, type FinishResponse } from "@ferry/contract";
import type { Arrival } from "./arrival.js";
import type { Arrivals } from "./arrivals.js";
import { toWireCause } from "./cause.js";
import { overrideSource } from "./override.js";

export function finishHandler(arrivals: Arrivals, agentId: string) {
  return async (
    request: FinishRequest,
    { deadline, signal, peer }: CallContext,
  ): Promise<FinishResponse> => {
    checkAddressee(request, agentId);
    const migrationId = checkMigrationId(request.migrationId);
    const { order } = request;
    if (!ORDERS.has(order)) throw invalid("order", "land, abandon or override is wanted");
    const live = arrivals.live(migrationId);
    if (live !== undefined && !live.settled) {
      await say(live, request, peer);
      await live.changes.until(() => live.settled, {
        withinMs: waitFor(request.wait?.value, deadline),
        signal,
      });
    }
    const view = live?.view() ?? arrivals.ended(migrationId);
    if (view === undefined) throw unknownMigration(migrationId, agentId);
    return {
      agentId,
      verdict: toWireVerdict(view.verdict),
      cause: view.verdict === "landed" ? toWireCause(undefined) : toWireCause(view.cause),
      phase: view.phase,
      reason: view.reason,
    };
  };
}

const ORDERS: ReadonlySet<FinishOrder> = new Set([
  FinishOrder.LAND,
  FinishOrder.ABANDON,
  FinishOrder.OVERRIDE,
]);

/** Says the caller's word to the arrival's table. */
async function say(live: Arrival, request: FinishRequest, peer: PeerIdentity): Promise<void> {
  switch (request.order) {
    case FinishOrder.OVERRIDE:
      await overrideSource(live, request.override, peer);
      return;
    case FinishOrder.ABANDON:
      await live.hear("abandon", { cause: "abandoned", reason: "the caller abandoned it" });
      return;
    default: {
      const heard = await live.hear("ordered");
      if (heard.answer !== "refuse") return;
      throw new Fault(
        "NOT_YET",
        `the agents have not met yet (${heard.phase}): call Perform, and repeat Finish after its first answer`,
      );
    }
  }
}
