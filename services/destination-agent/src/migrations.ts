import { type MigrationsKnown, toWireTransport, toWireVerdict } from "@ferry/agent-kit";
import { type Migration, Role } from "@ferry/contract";
import type { ArrivalView } from "./arrival.js";
import type { Arrivals } from "./arrivals.js";
import { toWireCause } from "./cause.js";

/** This host's arrivals, as MigrationService tells of them. */
export function migrationsKnown(arrivals: Arrivals): MigrationsKnown {
  return {
    changes: arrivals.changes,
    migrations: () => arrivals.views().map(toWireMigration),
  };
}

function toWireMigration(view: ArrivalView): Migration {
  return {
    migrationId: view.migrationId,
    guestId: view.guestId,
    role: Role.DESTINATION,
    phase: view.phase,
    verdict: toWireVerdict(view.verdict),
    cause: toWireCause(view.cause),
    peerAgentId: view.peerAgentId,
    transport: toWireTransport(view.transport),
    progress: undefined,
    startedAt: view.startedAt,
    endedAt: view.endedAt,
    reason: view.reason,
    settled: view.verdict !== "pending",
    downtime:
      view.downtimeMs === undefined
        ? undefined
        : { $case: "downtimeMs", value: BigInt(Math.round(view.downtimeMs)) },
    tethered: view.tethered,
  };
}
