import { type MigrationsKnown, toWireTransport, toWireVerdict } from "@ferry/agent-kit";
import { Cause, type Migration, Role } from "@ferry/contract";
import type { Departures, DepartureView } from "./departures.js";
import { toWireProgress } from "./progress.js";

/** This host's departures, as MigrationService tells of them. */
export function migrationsKnown(departures: Departures): MigrationsKnown {
  return {
    changes: departures.changes,
    migrations: () => departures.views().map((view) => toWireMigration(view, departures)),
  };
}

function toWireMigration(view: DepartureView, departures: Departures): Migration {
  return {
    migrationId: view.migrationId,
    guestId: view.guestId,
    role: Role.SOURCE,
    phase: view.phase,
    verdict: toWireVerdict(view.verdict),
    cause: Cause.UNSPECIFIED,
    peerAgentId: view.peerAgentId,
    transport: toWireTransport(view.transport),
    progress: toWireProgress(departures.live(view.migrationId)?.progress),
    startedAt: view.startedAt,
    endedAt: view.endedAt,
    reason: view.reason,
    settled: view.settled,
    downtime: undefined,
    tethered: false,
  };
}
