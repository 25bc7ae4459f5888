import { type Blocker, Fault } from "@ferry/contract";

/** GUEST_BUSY. Whoever is told wants to look at that migration, or end it: its id is in the metadata. */
export function busy(migrationId: string, text: string, blockers: readonly Blocker[] = []): Fault {
  return new Fault("GUEST_BUSY", text, { metadata: { migration_id: migrationId }, blockers });
}
