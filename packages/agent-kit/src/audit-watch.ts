/*
 * Looks now and then whether the audit log is still as it was written. Whoever is to be held to account by it may
 * be able to write it, and nobody reads it before something has happened.
 */
import type { AuditLog } from "@ferry/store";
import type { AgentRole } from "./config.js";
import { everyHour } from "./every-hour.js";
import type { Logger } from "./logs.js";
import type { Metrics } from "./metrics.js";

export interface AuditWatchOptions {
  readonly audit: Pick<AuditLog, "check">;
  readonly role: AgentRole;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, "auditChanged">;
}

/** Looks now and every hour, until what it answers is called. */
export function watchAudit({ audit, role, log, metrics }: AuditWatchOptions): () => void {
  let said: string | undefined;
  return everyHour(async () => {
    const why = await audit.check();
    metrics.auditChanged.set({ role }, why === undefined ? 0 : 1);
    if (why !== undefined && why !== said) log.error({ why }, "the audit log was changed");
    said = why;
  }, log);
}
