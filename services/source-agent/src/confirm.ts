/* Confirm answers once the source is settled. It moves nothing: the agents settle by themselves. */
import {
  type CallContext,
  checkAddressee,
  checkMigrationId,
  requireAsk,
  toWireVerdict,
  unknownMigration,
  waitFor,
} from "@ferry/agent-kit";
import type { ConfirmRequest, ConfirmResponse } from "@ferry/contract";
import { type Departures, viewOf } from "./departures.js";
import { overrideDestination } from "./override.js";

export function confirmHandler(departures: Departures, agentId: string) {
  return async (
    request: ConfirmRequest,
    { deadline, signal, peer }: CallContext,
  ): Promise<ConfirmResponse> => {
    checkAddressee(request, agentId);
    const migrationId = checkMigrationId(request.migrationId);
    const live = departures.live(migrationId);
    const { override } = request;
    if (override !== undefined) {
      requireAsk(peer, "override");
      if (live !== undefined && !live.settled) await overrideDestination(live, override, peer);
    }
    // Whoever hears "settled" may begin the next move, so nothing of this one may be left by then.
    await live?.changes.until(() => live.tidied || live.undecided, {
      withinMs: waitFor(request.wait?.value, deadline),
      signal,
    });
    const view = live === undefined ? departures.ended(migrationId) : viewOf(live);
    if (view === undefined) throw unknownMigration(migrationId, agentId);
    return {
      agentId,
      verdict: toWireVerdict(view.verdict),
      phase: view.phase,
      settled: view.settled && live?.tidied !== false,
      reason: view.reason,
    };
  };
}
