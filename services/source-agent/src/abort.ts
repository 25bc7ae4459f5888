/* Abort ends a migration in any phase, or says that it comes too late: custody was given away. */
import { checkAddressee, checkMigrationId, unknownMigration, waitFor } from "@ferry/agent-kit";
import { AbortOutcome, type AbortRequest, type AbortResponse } from "@ferry/contract";
import type { SourcePhase } from "@ferry/protocol";
import type { Departures } from "./departures.js";

/** How long an abort waits for QEMU to give the guest back, in milliseconds. */
const WAIT_MS = 5_000;

/** What an abort has come to, by the phase it left the migration in. */
const OUTCOMES: Record<SourcePhase, AbortOutcome> = {
  idle: AbortOutcome.ABORTED,
  begun: AbortOutcome.UNDER_WAY,
  meeting: AbortOutcome.UNDER_WAY,
  performing: AbortOutcome.UNDER_WAY,
  cancelling: AbortOutcome.UNDER_WAY,
  retaking: AbortOutcome.UNDER_WAY,
  resuming: AbortOutcome.UNDER_WAY,
  kept: AbortOutcome.ABORTED,
  reclaimed: AbortOutcome.ABORTED,
  lost: AbortOutcome.ABORTED,
  gone: AbortOutcome.ABORTED,
  released: AbortOutcome.TOO_LATE,
  bereft: AbortOutcome.TOO_LATE,
  givingUp: AbortOutcome.TOO_LATE,
  destroying: AbortOutcome.TOO_LATE,
  departed: AbortOutcome.TOO_LATE,
};

export function abortHandler(departures: Departures, agentId: string) {
  return async (
    request: AbortRequest,
    { deadline, signal }: { deadline: Date | number; signal: AbortSignal },
  ): Promise<AbortResponse> => {
    checkAddressee(request, agentId);
    const migrationId = checkMigrationId(request.migrationId);
    const departure = departures.live(migrationId);
    const ended = departures.ended(migrationId);
    if (departure === undefined) {
      if (ended === undefined) throw unknownMigration(migrationId, agentId);
      return { agentId, outcome: outcomeOf(ended.phase), phase: ended.phase };
    }
    if (!departure.settled && !departure.released) {
      departure.fail("ABORTED", "somebody aborted it");
      await departure.hear("abort");
      await departure.changes.until(() => outcomeOf(departure.phase) !== AbortOutcome.UNDER_WAY, {
        withinMs: waitFor(WAIT_MS, deadline),
        signal,
      });
    }
    return { agentId, outcome: outcomeOf(departure.phase), phase: departure.phase };
  };
}

function outcomeOf(phase: string): AbortOutcome {
  return OUTCOMES[phase as SourcePhase]; // phases come from the table, endings included
}
