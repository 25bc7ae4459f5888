/* Confirm answers once the source is settled. It moves nothing: the agents settle by themselves. */
import { checkAddressee, checkMigrationId, toWireVerdict, waitFor } from "@ferry/agent-kit";
import { type ConfirmRequest, type ConfirmResponse, Fault } from "@ferry/contract";
import { type Departures, viewOf } from "./departures.js";

export function confirmHandler(departures: Departures, agentId: string) {
  return async (
    request: ConfirmRequest,
    { deadline, signal }: { deadline: Date | number; signal: AbortSignal },
  ): Promise<ConfirmResponse> => {
    checkAddressee(request, agentId);
    const migrationId = checkMigrationId(request.migrationId);
    const live = departures.live(migrationId);
    await live?.changes.until(() => live.settled || live.perished, {
      withinMs: waitFor(request.waitMs, deadline),
      signal,
    });
    const view = live === undefined ? departures.ended(migrationId) : viewOf(live);
    if (view === undefined) {
      throw new Fault(
        "MIGRATION_UNKNOWN",
        `no migration ${migrationId} is known to ${agentId}; that proves nothing about the guest`,
      );
    }
    return {
      agentId,
      verdict: toWireVerdict(view.verdict),
      phase: view.phase,
      settled: view.settled,
      reason: view.reason,
    };
  };
}
