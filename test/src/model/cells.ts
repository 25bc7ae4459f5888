/*
 * Which cells of the two tables a world depends on. A table with one cell changed leads elsewhere
 * only from the worlds in which that cell is read: from all others the walk is known already. That
 * is what makes it possible to try every mutant.
 */
import { destination, source } from "@ferry/protocol";

export type Side = "source" | "destination";

type Rows = { readonly [phase: string]: { readonly [heard: string]: number } };

/** A number for each cell there is. */
const NUMBERS: { readonly [S in Side]: Rows } = {
  source: numbered(source, 0),
  destination: numbered(destination, 1_000),
};

function numbered(table: object, first: number): Rows {
  let next = first;
  const rows = Object.entries(table).map(([phase, row]: [string, object]) => [
    phase,
    Object.fromEntries(Object.keys(row).map((heard) => [heard, next++])),
  ]);
  return Object.fromEntries(rows);
}

export function cellNumber(side: Side, phase: string, heard: string): number {
  const number = NUMBERS[side][phase]?.[heard];
  if (number === undefined) throw new Error(`there is no cell ${side}: ${phase}.${heard}`);
  return number;
}

let read: number[] = [];

/** Notes that a cell was read. */
export function reading(side: Side, phase: string, heard: string): void {
  read.push(NUMBERS[side][phase]?.[heard] ?? -1);
}

/** The cells that were read since this was last called. */
export function cellsRead(): readonly number[] {
  const cells = read;
  read = [];
  return cells;
}
