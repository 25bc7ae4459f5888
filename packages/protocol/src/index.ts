/*
 * The protocol itself: two total tables, the one function that reads them, what each side says, and
 * what must be on disk. It imports nothing and touches nothing.
 */
export {
  type DestinationEffect,
  type DestinationHeard,
  type DestinationPhase,
  destination,
} from "./destination.js";
export { type Durability, destinationDurability, sourceDurability } from "./durability.js";
export { type SourceEffect, type SourceHeard, type SourcePhase, source } from "./source.js";
export { type Cell, hear, type Row, type Step, type Table } from "./table.js";
export {
  destinationSettled,
  type SourceWord,
  sourceSettled,
  sourceWord,
  type Verdict,
  verdictOf,
} from "./verdict.js";
