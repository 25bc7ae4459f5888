/*
 * Mutants that nothing complains about, each with why it is harmless. The list is checked both ways:
 * a mutant that lives and is not in it fails the check, and so does one in it that is found by now.
 * The source's rows are gone through up to `lost`; what lives in the others is not explained yet.
 */

export interface Lived {
  readonly why: string;
  /** As `spell` spells them. */
  readonly mutants: readonly string[];
}

export const LIVED: readonly Lived[] = [
  {
    why: "the same effect is ordered once more, in the phase that it belongs to",
    mutants: [
      "source: retaking.abort → retaking + cont",
      "source: retaking.lapsed → retaking + cont",
      "source: retaking.met → retaking + cont",
      "source: retaking.sent → retaking + cont",
      "source: retaking.failedLate → retaking + cont",
      "source: retaking.returned → retaking + cont",
      "source: retaking.begin → retaking + cont",
      "source: retaking.perform → retaking + cont",
      "source: retaking.override → retaking + cont",
      "source: resuming.abort → resuming + cont",
      "source: resuming.lapsed → resuming + cont",
      "source: resuming.met → resuming + cont",
      "source: resuming.sent → resuming + cont",
      "source: resuming.failedLate → resuming + cont",
      "source: resuming.returned → resuming + cont",
      "source: resuming.override → resuming + cont",
      "source: resuming.begin → resuming + cont",
      "source: resuming.perform → resuming + cont",
      "source: resuming.landed → resuming + cont",
      "source: resuming.perished → resuming + cont",
      "source: destroying.lapsed → destroying + kill",
      "source: destroying.met → destroying + kill",
      "source: destroying.sent → destroying + kill",
      "source: destroying.failedLate → destroying + kill",
      "source: destroying.landed → destroying + kill",
      "source: destroying.begin → destroying + kill",
      "source: destroying.perform → destroying + kill",
      "source: destroying.abort → destroying + kill",
      "source: destroying.resumed → destroying + kill",
      "source: destroying.override → destroying + kill",
    ],
  },
  {
    why: "QEMU is dead: a detour through a phase whose effect finds nothing to touch, and that ends where it should once it has heard of that death, or the verdict again",
    mutants: [
      "source: idle.qemuGone → resuming + cont",
      "source: idle.qemuGone → kept",
      "source: begun.qemuGone → resuming + cont",
      "source: meeting.qemuGone → resuming + cont",
      "source: performing.qemuGone → retaking + cont",
      "source: performing.qemuGone → reclaimed",
      "source: cancelling.qemuGone → retaking + cont",
      "source: cancelling.qemuGone → reclaimed",
      "source: retaking.qemuGone → reclaimed",
      "source: reclaimed.qemuGone → retaking + cont",
      "source: bereft.landed → reclaimed",
      "source: bereft.landed → released",
      "source: bereft.landed → destroying + kill",
      "source: bereft.landed → lost",
      "source: bereft.returned → retaking + cont",
      "source: bereft.returned → reclaimed",
      "source: bereft.returned → released",
      "source: bereft.returned → resuming + cont",
      "source: bereft.returned → kept",
      "source: bereft.returned → lost",
      "source: bereft.override → retaking + cont",
      "source: bereft.override → reclaimed",
      "source: bereft.override → released",
      "source: bereft.override → resuming + cont",
      "source: bereft.override → kept",
      "source: bereft.override → lost",
      "source: bereft.perform → released",
      "source: bereft.restarted → released",
      "source: bereft.begin → released",
      "source: bereft.abort → released",
      "source: resuming.qemuGone → retaking + cont",
      "source: resuming.qemuGone → lost",
      "source: destroying.qemuGone → reclaimed",
      "source: destroying.qemuGone → released",
      "source: destroying.qemuGone → lost",
      "source: lost.landed → released",
      "source: lost.landed → destroying + kill",
      "source: lost.returned → reclaimed",
      "source: lost.returned → released",
      "source: lost.returned → resuming + cont",
      "source: lost.returned → kept",
      "source: lost.override → reclaimed",
      "source: lost.override → released",
      "source: lost.override → resuming + cont",
      "source: lost.override → kept",
      "source: lost.abort → retaking + cont",
      "source: lost.abort → reclaimed",
      "source: lost.restarted → retaking + cont",
      "source: lost.restarted → reclaimed",
    ],
  },
  {
    why: "more careful than needed: it waits for a `returned` that it could do without, and that is restated",
    mutants: [
      "source: performing.failedEarly → reclaimed",
      "source: performing.resumed → reclaimed",
      "source: cancelling.failedEarly → reclaimed",
      "source: cancelling.resumed → reclaimed",
      "source: retaking.failedLate → reclaimed",
    ],
  },
  {
    why: "the phase is not written, and its record says `released` already: a restart leads there, too, and the verdict is restated",
    mutants: [
      "source: resuming.abort → released",
      "source: resuming.lapsed → released",
      "source: resuming.met → released",
      "source: resuming.sent → released",
      "source: resuming.failedLate → released",
      "source: resuming.returned → released",
      "source: resuming.override → released",
      "source: resuming.begin → released",
      "source: resuming.perform → released",
      "source: resuming.landed → released",
      "source: resuming.perished → released",
      "source: destroying.lapsed → released",
      "source: destroying.met → released",
      "source: destroying.sent → released",
      "source: destroying.failedLate → released",
      "source: destroying.landed → released",
      "source: destroying.begin → released",
      "source: destroying.perform → released",
      "source: destroying.abort → released",
      "source: destroying.resumed → released",
      "source: destroying.override → released",
    ],
  },
  {
    why: "it is heard there only of a guest that runs already, since an agent died that had taken it back: `resumed` says so, too",
    mutants: ["source: released.failedLate → resuming + cont"],
  },
  {
    why: "`returned` was heard, and is restated: the guest comes home by another row",
    mutants: [
      "source: retaking.returned → released",
      "source: retaking.returned → resuming + cont",
      "source: released.returned → retaking + cont",
      "source: resuming.returned → retaking + cont",
    ],
  },
];

const REASONS = new Map(LIVED.flatMap(({ why, mutants }) => mutants.map((name) => [name, why])));

/** Why that mutant may live; undefined if it must be found. */
export function whyLived(name: string): string | undefined {
  return REASONS.get(name);
}
