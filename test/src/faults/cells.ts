/* What stands in a cell of the matrix, and the instants that mostly have the same in it. */
import type { Ending } from "./ending.js";
import { INSTANT_IDS, type Instant } from "./instants.js";

export type Cell =
  | { readonly endings: readonly Ending[] }
  | { readonly cannot: string }
  | { readonly leftOut: string };
export type Row = { readonly [I in Instant]: Cell };

/** For people. */
export function wordsOfCell(cell: Cell): string {
  if ("cannot" in cell) return `cannot occur: ${cell.cannot}`;
  if ("leftOut" in cell) return `left out: ${cell.leftOut}`;
  return cell.endings.join(" or ");
}

export const ends = (...endings: Ending[]): Cell => ({ endings });
/** A fault that has nothing to hit at that instant. */
export const cannot = (reason: string): Cell => ({ cannot: reason });
/** A cell that is not run, for what it would show is shown elsewhere. */
export const leftOut = (reason: string): Cell => ({ leftOut: reason });
export const REAPED = cannot("that QEMU is reaped already");
export const KEEPER_ENDED = cannot("that keeper has ended with its QEMU");
export const SOURCE = ends("source");
export const DESTINATION = ends("destination");
export const EITHER = ends("source", "destination");

export function at<I extends Instant>(cell: Cell, ...instants: I[]): { readonly [K in I]: Cell } {
  return Object.fromEntries(instants.map((instant) => [instant, cell])) as { [K in I]: Cell }; // all
}

/** A fault of which some instants stand for all. */
export function only(reason: string, cells: Partial<Row>): Row {
  const out = leftOut(reason);
  return Object.fromEntries(INSTANT_IDS.map((id) => [id, cells[id] ?? out])) as Row; // every instant
}

/** Before anybody sends. */
export const EARLY = ["starting", "listening"] as const;
/** The guest stands still for the switchover. */
export const SWITCHOVER = ["preSwitchover", "deviceState"] as const;
/** Custody is with the source, and nobody has written otherwise. */
export const UNRELEASED = ["met", "firstPage", ...SWITCHOVER] as const;
export const RELEASING = ["completed", "releasedUnsynced", "releasedSynced"] as const;
/** The source waits for a verdict. */
export const LANDING = ["keeperFreed", "landingUnsynced", "landingSynced"] as const;
/** The guest has run over there. */
export const RUNNING = ["afterCont", "beforeRename", "afterRename"] as const;
export const LANDED = ["verdictTold", "sourceReaped"] as const;

/** Until the destination has heard all three, it is discarded; from then on it lands. */
export const cut: Row = {
  ...at(SOURCE, ...EARLY, ...UNRELEASED, ...RELEASING),
  ...at(DESTINATION, ...LANDING, ...RUNNING, ...LANDED),
};
export const harmless: Row = at(
  DESTINATION,
  ...EARLY,
  ...UNRELEASED,
  ...RELEASING,
  ...LANDING,
  ...RUNNING,
  ...LANDED,
);
