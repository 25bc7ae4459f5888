/*
 * Mutants that nothing complains about, each with why it is harmless: a sentence, and a claim that must be
 * true of every world that only the mutant reaches. The list is checked both ways: a mutant that lives and
 * is not in it fails the check, and so does one in it that is found by now, or whose claim is not true.
 */
import {
  type Claim,
  freedTwice,
  givenUpTwice,
  keeperIsDead,
  killedTwice,
  neverRan,
  nothingBegun,
  nothingNew,
  overriddenInVain,
  returned,
  sourceIsDead,
  sourceRunsOrIsDead,
  thereIsDead,
} from "./claims.js";

export interface Lived {
  readonly why: string;
  readonly claim: Claim;
  /** As `spell` spells them. */
  readonly mutants: readonly string[];
}

export const LIVED: readonly Lived[] = [
  {
    why: "nothing was begun: it ends where it is, and nobody was told anything",
    claim: nothingBegun,
    mutants: ["source: idle.abort → kept", "source: idle.restarted → kept"],
  },
  {
    why: "QEMU is dead: a detour through a phase whose effects find nothing to touch, and that ends where it should once it has heard of that death, or the verdict again",
    claim: sourceIsDead,
    mutants: [
      "source: idle.qemuGone → resuming + cont",
      "source: idle.qemuGone → kept",
      "source: begun.qemuGone → resuming + cont",
      "source: meeting.qemuGone → resuming + cont",
      "source: performing.qemuGone → reclaimed",
      "source: cancelling.qemuGone → retaking + cont",
      "source: cancelling.qemuGone → reclaimed",
      "source: retaking.qemuGone → reclaimed",
      "source: bereft.landed → destroying + kill",
      "source: bereft.returned → retaking + cont",
      "source: bereft.returned → resuming + cont",
      "source: bereft.returned → lost",
      "source: bereft.override → resuming + cont",
      "source: bereft.giveUp → resuming + cont",
      "source: bereft.perform → released",
      "source: bereft.restarted → released",
      "source: bereft.begin → released",
      "source: bereft.abort → released",
      "source: lost.landed → destroying + kill",
      "source: lost.returned → resuming + cont",
      "source: lost.override → resuming + cont",
      "source: lost.giveUp → resuming + cont",
      "source: lost.abort → retaking + cont",
      "source: lost.abort → reclaimed",
      "source: lost.begin → retaking + cont",
      "source: lost.begin → reclaimed",
      "source: lost.perform → retaking + cont",
      "source: lost.perform → reclaimed",
      "source: reclaimed.giveUp → released",
      "source: reclaimed.giveUp → lost",
      "source: reclaimed.giveUp → retaking + cont",
      "source: reclaimed.giveUp → resuming + cont",
      "source: reclaimed.giveUp → kept",
      "source: reclaimed.giveUp → gone",
    ],
  },
  {
    why: "`returned` is restated until it is heard, and by then nothing of the guest is over there: the copy fails by itself, or the guest comes home by another row",
    claim: returned,
    mutants: [
      "source: performing.returned → repeat",
      "source: performing.returned → cancelling",
      "source: retaking.returned → resuming + cont",
    ],
  },
  {
    why: "the guest runs here already, or its QEMU is dead: to let it run once more changes nothing, and that it runs is heard again",
    claim: sourceRunsOrIsDead,
    mutants: [
      "source: performing.resumed → retaking + cont",
      "source: performing.resumed → reclaimed",
      "source: cancelling.resumed → retaking + cont",
      "source: cancelling.resumed → reclaimed",
      "source: retaking.abort → retaking + cont",
      "source: retaking.lapsed → retaking + cont",
      "source: retaking.met → retaking + cont",
      "source: retaking.sent → retaking + cont",
      "source: retaking.failedLate → retaking + cont",
      "source: retaking.failedLate → reclaimed",
      "source: retaking.returned → retaking + cont",
      "source: retaking.begin → retaking + cont",
      "source: retaking.perform → retaking + cont",
      "source: released.resumed → resuming + cont",
      "source: released.failedLate → resuming + cont",
      "source: released.failedLate → kept",
      "source: resuming.abort → resuming + cont",
      "source: resuming.lapsed → resuming + cont",
      "source: resuming.met → resuming + cont",
      "source: resuming.sent → resuming + cont",
      "source: resuming.failedLate → resuming + cont",
      "source: resuming.failedLate → kept",
      "source: resuming.returned → resuming + cont",
      "source: resuming.override → resuming + cont",
      "source: resuming.begin → resuming + cont",
      "source: resuming.perform → resuming + cont",
      "source: resuming.landed → resuming + cont",
      "source: resuming.perished → resuming + cont",
      "source: released.resumed → reclaimed",
      "source: released.failedLate → reclaimed",
      "source: released.resumed → retaking + cont",
      "source: released.failedLate → retaking + cont",
    ],
  },
  {
    why: "nothing has arrived, and nothing can: its source is down, or a person would not have said so",
    claim: sourceIsDead,
    mutants: [
      "destination: preparing.override → discarding + kill",
      "destination: prepared.override → discarding + kill",
    ],
  },
  {
    why: "QEMU is dead already: it is killed once more, and its death is heard again",
    claim: thereIsDead,
    mutants: [
      "destination: preparing.qemuGone → discarding + kill",
      "destination: prepared.qemuGone → discarding + kill",
      "destination: receiving.qemuGone → discarding + kill",
      "destination: receivingOrdered.qemuGone → discarding + kill",
      "destination: receivingReleased.qemuGone → discarding + kill",
      "destination: receivingDue.qemuGone → discarding + kill",
      "destination: loaded.qemuGone → discarding + kill",
      "destination: loadedOrdered.qemuGone → discarding + kill",
      "destination: loadedReleased.qemuGone → discarding + kill",
      "destination: untying.qemuGone → discarding + kill",
    ],
  },
  {
    why: "`bereft` is restated until there is a verdict: it is heard again once the guest has loaded",
    claim: nothingNew,
    mutants: [
      "destination: receiving.bereft → repeat",
      "destination: receivingOrdered.bereft → repeat",
      "destination: receivingReleased.bereft → repeat",
    ],
  },
  {
    why: "that the source released it is forgotten, and `bereft` is restated: it lands with the next one",
    claim: sourceIsDead,
    mutants: [
      "destination: loaded.bereft → loadedReleased",
      "destination: loadedOrdered.bereft → loaded",
      "destination: loadedOrdered.bereft → loadedReleased",
    ],
  },
  {
    why: "that the source released it is forgotten: a world that there is, too, since `released` may be lost on its way; it is restated on every beat",
    claim: nothingNew,
    mutants: [
      "destination: receivingReleased.loaded → loaded",
      "destination: loadedReleased.released → loaded",
      "destination: loadedReleased.loaded → loaded",
      "destination: loadedReleased.bereft → loaded",
      "destination: loadedReleased.met → loaded",
    ],
  },
  {
    why: "nothing can arrive any more, and nobody was given anything: it is discarded a little before its tether is cut",
    claim: nothingNew,
    mutants: [
      "destination: receiving.waited → discarding + kill",
      "destination: receivingOrdered.waited → discarding + kill",
    ],
  },
  {
    why: "only a monitor that was lost is heard of there, since the phase is not written: the keeper is being freed all the same, and QEMU is asked after `landing`",
    claim: nothingNew,
    mutants: ["destination: untying.restarted → repeat"],
  },
  {
    why: "the keeper is told once more what it was told already",
    claim: freedTwice,
    mutants: [
      "destination: untying.restarted → untying + freeKeeper",
      "destination: untying.met → untying + freeKeeper",
      "destination: untying.loaded → untying + freeKeeper",
      "destination: untying.ordered → untying + freeKeeper",
      "destination: untying.released → untying + freeKeeper",
      "destination: untying.bereft → untying + freeKeeper",
      "destination: untying.abandon → untying + freeKeeper",
      "destination: untying.cut → untying + freeKeeper",
      "destination: untying.override → untying + freeKeeper",
    ],
  },
  {
    why: "a keeper that is dead kills nobody: the guest lands, where the table, for want of somebody who would reap its QEMU, discards it",
    claim: keeperIsDead,
    mutants: ["destination: untying.keeperGone → landing + cont"],
  },
  {
    why: "`landing` is not written yet: it is discarded and returned, where the table would land it",
    claim: neverRan,
    mutants: [
      "destination: untying.abandon → discarding + kill",
      "destination: untying.cut → discarding + kill",
    ],
  },
  {
    why: "the kill that was ordered is ordered once more, and finds QEMU dead",
    claim: killedTwice,
    mutants: [
      "source: destroying.lapsed → destroying + kill",
      "source: destroying.met → destroying + kill",
      "source: destroying.sent → destroying + kill",
      "source: destroying.landed → destroying + kill",
      "source: destroying.begin → destroying + kill",
      "source: destroying.perform → destroying + kill",
      "source: destroying.abort → destroying + kill",
      "destination: discarding.listening → discarding + kill",
      "destination: discarding.met → discarding + kill",
      "destination: discarding.loaded → discarding + kill",
      "destination: discarding.ordered → discarding + kill",
      "destination: discarding.released → discarding + kill",
      "destination: discarding.bereft → discarding + kill",
      "destination: discarding.abandon → discarding + kill",
      "destination: discarding.recalled → discarding + kill",
      "destination: discarding.cut → discarding + kill",
      "destination: discarding.waited → discarding + kill",
      "destination: discarding.freed → discarding + kill",
      "destination: discarding.keeperGone → discarding + kill",
    ],
  },
  {
    why: "the guest has landed, and our copy is being killed: who gives it up has it killed once more",
    claim: givenUpTwice,
    mutants: ["source: destroying.giveUp → destroying + kill"],
  },
  {
    why: "a person who stands in for the source comes too late: the kill that was ordered is ordered once more",
    claim: overriddenInVain,
    mutants: ["destination: discarding.override → discarding + kill"],
  },
  {
    why: "only a monitor that was lost is heard of there, since the phase is not written: the kill that was ordered goes on all the same",
    claim: nothingNew,
    mutants: ["destination: discarding.restarted → repeat"],
  },
];

const EXPLANATIONS = new Map(LIVED.flatMap((lived) => lived.mutants.map((name) => [name, lived])));

/** Why that mutant may live; undefined if it must be found. */
export function explanationOf(name: string): Lived | undefined {
  return EXPLANATIONS.get(name);
}
