/*
 * A setting says which tables are walked, and which faults, orders and liberties they are walked
 * under. Nothing in it bounds how often a fault may happen.
 */
import {
  type DestinationEffect,
  type DestinationHeard,
  type DestinationPhase,
  type Durability,
  destination,
  destinationDurability,
  type SourceEffect,
  type SourceHeard,
  type SourcePhase,
  source,
  sourceDurability,
  type Table,
} from "@ferry/protocol";

export type SourceTable = Table<SourcePhase, SourceHeard, SourceEffect>;
export type DestinationTable = Table<DestinationPhase, DestinationHeard, DestinationEffect>;

/** What is under test: the protocol package, or a copy of it with something broken on purpose. */
export interface Protocol {
  readonly source: SourceTable;
  readonly destination: DestinationTable;
  readonly sourceDurability: { readonly [P in SourcePhase]: Durability };
  readonly destinationDurability: { readonly [P in DestinationPhase]: Durability };
  /** Words over Meet name the arrival they mean, not only the migration. */
  readonly wordsNameArrivals: boolean;
  /** A copy that completed, and whose guest runs again, is not taken for one that can be released. */
  readonly looksBeforeRelease: boolean;
  /** A source's effects are carried out in the order they were decided in. */
  readonly effectsInOrder: boolean;
  /** An agent makes what it reads last before it says any of it: its predecessor may not have. */
  readonly syncsWhatItReads: boolean;
  /** An ending that the disk refused is tried again before anything else is heard. */
  readonly endingsFirst: boolean;
  /** A record that says `released` without its having been said is overwritten before a `cont`. */
  readonly overwritesReleased: boolean;
}

export const FERRY: Protocol = {
  source,
  destination,
  sourceDurability,
  destinationDurability,
  wordsNameArrivals: true,
  looksBeforeRelease: true,
  effectsInOrder: true,
  syncsWhatItReads: true,
  endingsFirst: true,
  overwritesReleased: true,
};

/** `truthful`: a person only stands in for a host that is really down. `lying`: for any host. */
export type Override = "never" | "truthful" | "lying";

export interface Setting {
  readonly destinations: 1 | 2;
  /** Either agent dies and comes back, any number of times. */
  readonly agentsDie: boolean;
  /** Either QEMU dies by itself. */
  readonly qemusDie: boolean;
  /** A keeper dies by itself, without killing its QEMU. */
  readonly keepersDie: boolean;
  /** A whole host loses its power: unsynced writes may be gone, processes are. */
  readonly powerFails: boolean;
  /** A destination's host comes back with an empty disk, and the same id is prepared there again. */
  readonly disksFail: boolean;
  /** A disk refuses to write, or to sync what it wrote, and works again later. */
  readonly disksRefuse: boolean;
  /** An agent loses sight of its QEMU and finds it again: answers are lost. */
  readonly monitorsFail: boolean;
  /** A destination's QEMU may refuse `cont` with an explicit error. */
  readonly contRefused: boolean;
  readonly override: Override;
}

/** Everything that may go wrong, short of a person's word. */
export const ALL_FAULTS: Setting = {
  destinations: 1,
  agentsDie: true,
  qemusDie: true,
  keepersDie: true,
  powerFails: true,
  disksFail: true,
  disksRefuse: true,
  monitorsFail: true,
  contRefused: true,
  override: "never",
};
