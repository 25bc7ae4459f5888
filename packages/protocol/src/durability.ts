/*
 * How well a phase must be on disk before the agent acts on it. After a restart the last phase that
 * was written is heard again, and everything in between is found out by looking at QEMU and by
 * asking the other side; so a phase is written only if forgetting it would hurt.
 */
import type { DestinationPhase } from "./destination.js";
import type { SourcePhase } from "./source.js";

/** `fsync`: survives a power loss. `write`: survives the agent. `none`: found out again. */
export type Durability = "fsync" | "write" | "none";

export const destinationDurability: { readonly [P in DestinationPhase]: Durability } = {
  empty: "none",
  preparing: "none",
  prepared: "fsync", // the arrival's number, before anybody is told it
  receiving: "none",
  receivingOrdered: "none",
  receivingReleased: "none",
  receivingDue: "none",
  loaded: "none",
  loadedOrdered: "none",
  loadedReleased: "none",
  untying: "none",
  landing: "fsync", // forgotten, a guest that ran would be called `returned`
  relanding: "fsync",
  landed: "fsync", // by the rename into guests/
  discarding: "none",
  returned: "fsync",
  perished: "fsync",
};

export const sourceDurability: { readonly [P in SourcePhase]: Durability } = {
  idle: "none",
  begun: "none",
  meeting: "none",
  performing: "fsync", // forgotten, somebody could start a guest that an override has landed
  cancelling: "none",
  retaking: "none",
  reclaimed: "fsync", // an old copy there must be recalled until it is gone
  released: "fsync", // forgotten, the source would take back what it gave away
  bereft: "none",
  resuming: "none",
  destroying: "none",
  givingUp: "none", // that a person gave it up is in the record
  kept: "write",
  lost: "none",
  gone: "write",
  departed: "write",
};
