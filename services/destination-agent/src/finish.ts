/*
 * Finish orders the guest to land, or abandons it, and answers with the verdict. It decides
 * nothing itself: it says a word to the arrival's table and waits for what comes of it.
 */
import { checkAddressee, checkMigrationId, toWireVerdict, waitFor } from "@ferry/agent-kit";
import { Fault, FinishOrder, type FinishRequest, type FinishResponse } from "@ferry/contract";
import type { Arrivals } from "./arrivals.js";
import { toWireCause } from "./cause.js";

export function finishHandler(arrivals: Arrivals, agentId: string) {
  return async (
    request: FinishRequest,
    { deadline, signal }: { deadline: Date | number; signal: AbortSignal },
  ): Promise<FinishResponse> => {
    checkAddressee(request, agentId);
    const migrationId = checkMigrationId(request.migrationId);
    const { order } = request;
    if (order !== FinishOrder.LAND && order !== FinishOrder.ABANDON) {
      throw new Fault(
        "INVALID_REQUEST",
        "order must be FINISH_ORDER_LAND or FINISH_ORDER_ABANDON",
        {
          fieldViolations: [{ field: "order", description: "land or abandon" }],
        },
      );
    }
    const live = arrivals.live(migrationId);
    if (live !== undefined && !live.settled) {
      const heard =
        order === FinishOrder.LAND
          ? await live.hear("ordered")
          : await live.hear("abandon", { cause: "abandoned", reason: "the caller abandoned it" });
      if (heard.answer === "refuse" && order === FinishOrder.LAND) {
        throw new Fault(
          "NOT_YET",
          `the agents have not met yet (${heard.phase}): call Perform, and repeat Finish after its first answer`,
        );
      }
      await live.changes.until(() => live.settled, {
        withinMs: waitFor(request.waitMs, deadline),
        signal,
      });
    }
    const view = live?.view() ?? arrivals.ended(migrationId);
    if (view === undefined) {
      throw new Fault(
        "MIGRATION_UNKNOWN",
        `no migration ${migrationId} is known to ${agentId}; that proves nothing about the guest`,
      );
    }
    return {
      agentId,
      verdict: toWireVerdict(view.verdict),
      cause: view.verdict === "landed" ? toWireCause(undefined) : toWireCause(view.cause),
      phase: view.phase,
      reason: view.reason,
    };
  };
}
