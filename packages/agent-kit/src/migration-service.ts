/* MigrationService, the same on both agents: it only tells what an agent knows. */
import { isDeepStrictEqual } from "node:util";
import type {
  GetMigrationRequest,
  GetMigrationResponse,
  ListMigrationsRequest,
  ListMigrationsResponse,
  Migration,
  WatchMigrationsRequest,
  WatchMigrationsResponse,
} from "@ferry/contract";
import type { Changes } from "./changes.js";
import { checkAddressee } from "./server.js";
import { checkMigrationId, unknownMigration } from "./wire.js";

/** The migrations an agent knows. */
export interface MigrationsKnown {
  readonly changes: Changes;
  /** Under way, and ended within the last 7 days; newest first. */
  migrations(): Migration[];
}

export function migrationHandlers(known: MigrationsKnown, agentId: string) {
  const find = (migrationId: string) =>
    known.migrations().find((each) => each.migrationId === migrationId);

  return {
    getMigration: async (request: GetMigrationRequest): Promise<GetMigrationResponse> => {
      checkAddressee(request, agentId);
      const migrationId = checkMigrationId(request.migrationId);
      const migration = find(migrationId);
      if (migration !== undefined) return { agentId, migration };
      throw unknownMigration(migrationId, agentId);
    },

    listMigrations: async (request: ListMigrationsRequest): Promise<ListMigrationsResponse> => {
      checkAddressee(request, agentId);
      const { guestId } = request;
      const migrations = known
        .migrations()
        .filter((each) => guestId === "" || each.guestId === guestId);
      return { agentId, migrations };
    },

    watchMigrations: async function* (
      request: WatchMigrationsRequest,
      { signal }: { signal: AbortSignal },
    ): AsyncGenerator<WatchMigrationsResponse> {
      checkAddressee(request, agentId);
      const wanted = request.migrationId === "" ? undefined : checkMigrationId(request.migrationId);
      const shown = new Map<string, Migration>();
      while (!signal.aborted) {
        const seen = known.changes.version;
        const now = known.migrations();
        const there = new Set(now.map((each) => each.migrationId));
        for (const id of shown.keys()) if (!there.has(id)) shown.delete(id); // forgotten after 7 days
        for (const migration of now) {
          const { migrationId } = migration;
          if (wanted !== undefined && migrationId !== wanted) continue;
          if (isDeepStrictEqual(shown.get(migrationId), migration)) continue;
          shown.set(migrationId, migration);
          yield { agentId, migration };
        }
        await known.changes.after(seen, signal);
      }
    },
  };
}
