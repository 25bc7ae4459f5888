/*
 * Mutants that nothing complains about, each with why it is harmless. The list is checked both ways:
 * a mutant that lives and is not in it fails the check, and so does one in it that is found by now.
 */

export interface Lived {
  readonly why: string;
  /** As `spell` spells them. */
  readonly mutants: readonly string[];
}

export const LIVED: readonly Lived[] = [
  {
    why: "the same effect is ordered once more in the phase that it belongs to",
    mutants: ["source: resuming.lapsed → resuming + cont"],
  },
];

const REASONS = new Map(LIVED.flatMap(({ why, mutants }) => mutants.map((name) => [name, why])));

/** Why that mutant may live; undefined if it must be found. */
export function whyLived(name: string): string | undefined {
  return REASONS.get(name);
}
