import { type Config, type Logger, type Metrics, Orphans } from "@ferry/agent-kit";
import type { AuditLog } from "@ferry/store";
import type { Residents } from "./residents.js";

export interface OrphansOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly audit: AuditLog;
  readonly residents: Residents;
}

/** A guest has its record before its run directory; those that are known here are in use even so. */
export function orphansOf({ residents, ...host }: OrphansOptions): Orphans {
  return new Orphans({
    ...host,
    inUse: () => residents.list().map(({ record }) => record.guest.runDir),
  });
}
