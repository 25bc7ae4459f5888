/*
 * A machine that only decides is a table: in this phase, hearing that, what now? One function reads
 * it. Nothing here touches a socket, a disk, a clock or a QEMU, so a test can walk every world that
 * two tables can reach.
 */

/** What to do in one phase on hearing one thing. */
export type Cell<Phase, Effect> =
  | readonly [next: Phase, ...effects: Effect[]]
  | "repeat" // already answered, or nothing to us: stay, and answer the same again
  | "refuse"; // outside the protocol: stay, and tell whoever said it

/** All cells of one phase. */
export type Row<Phase, Heard extends string, Effect> = {
  readonly [H in Heard]: Cell<Phase, Effect>;
};

/** Leave one cell out and it does not compile. */
export type Table<Phase extends string, Heard extends string, Effect> = {
  readonly [P in Phase]: Row<Phase, Heard, Effect>;
};

/** What hearing something came to. `phase` is the phase afterwards. */
export type Step<Phase, Effect> =
  | { readonly answer: "moved"; readonly phase: Phase; readonly effects: readonly Effect[] }
  | { readonly answer: "repeat"; readonly phase: Phase }
  | { readonly answer: "refuse"; readonly phase: Phase };

/** Decides, and touches nothing. */
export function hear<Phase extends string, Heard extends string, Effect>(
  table: Table<Phase, Heard, Effect>,
  phase: Phase,
  heard: Heard,
): Step<Phase, Effect> {
  const cell: Cell<Phase, Effect> = table[phase][heard];
  if (cell === "repeat" || cell === "refuse") return { answer: cell, phase };
  const [next, ...effects] = cell;
  return { answer: "moved", phase: next, effects };
}

/** The same cell for several things heard; spread into a row, the compiler still counts them. */
export function each<Heard extends string, const Same>(
  same: Same,
  ...heard: readonly Heard[]
): { readonly [H in Heard]: Same } {
  // fromEntries forgets which keys it was given
  return Object.fromEntries(heard.map((it) => [it, same])) as { readonly [H in Heard]: Same };
}
