/*
 * The mutants that would hurt most, one line each: every one of them must be found. They are the
 * mistakes that somebody changing a table would make, and those that libvirt makes.
 */
import type { Side } from "./cells.js";
import type { Mutant, Spelled } from "./mutants.js";

export const DANGEROUS: readonly Mutant[] = [
  // The destination wakes a guest that it was not given, or was not told to wake.
  there("receiving.released", "untying", "freeKeeper"),
  there("receivingOrdered.loaded", "untying", "freeKeeper"),
  there("receivingReleased.loaded", "untying", "freeKeeper"),
  there("receivingDue.waited", "untying", "freeKeeper"),
  there("loaded.ordered", "untying", "freeKeeper"),
  there("loaded.bereft", "repeat"),
  there("loadedReleased.bereft", "repeat"),
  there("loadedReleased.cut", "untying", "freeKeeper"),
  there("loadedReleased.ordered", "landing", "cont"),
  there("returned.ordered", "landed"),
  // The tether, and what else a guest that has not landed does not outlive.
  there("preparing.cut", "repeat"),
  there("prepared.cut", "repeat"),
  there("receiving.cut", "repeat"),
  there("receivingDue.cut", "repeat"),
  there("loadedOrdered.cut", "repeat"),
  there("loadedReleased.cut", "discarding"),
  there("receiving.abandon", "repeat"),
  there("receivingDue.keeperGone", "repeat"),
  there("loaded.recalled", "repeat"),
  there("untying.recalled", "repeat"),
  there("untying.restarted", "landing", "cont"),
  there("untying.freed", "landing"),
  // The point of no return.
  there("landing.cut", "discarding", "kill"),
  there("landing.abandon", "discarding", "kill"),
  there("landing.recalled", "discarding", "kill"),
  there("landing.restarted", "discarding", "kill"),
  there("landing.restarted", "landing", "cont"),
  there("landing.restarted", "repeat"),
  there("landing.qemuGone", "returned"),
  there("landing.contRefused", "returned"),
  there("relanding.contRefused", "discarding", "kill"),
  there("relanding.qemuGone", "returned"),
  // A verdict that changes, or is told too soon.
  there("landed.qemuGone", "perished"),
  there("landed.restarted", "discarding", "kill"),
  there("discarding.freed", "returned"),
  there("untying.keeperGone", "perished"),
  // The source gives away what it still runs, or runs what it gave away.
  here("performing.gate", "released"),
  here("performing.failedEarly", "released"),
  here("performing.failedLate", "released"),
  here("performing.failedLate", "kept"),
  here("performing.stale", "retaking", "cont"),
  here("performing.abort", "retaking", "cont"),
  here("cancelling.failedLate", "kept"),
  here("retaking.sent", "released"),
  here("retaking.resumed", "released"),
  here("reclaimed.restarted", "released"),
  here("kept.failedEarly", "released"),
  here("released.lapsed", "resuming", "cont"),
  here("released.abort", "resuming", "cont"),
  here("released.restarted", "resuming", "cont"),
  here("released.perished", "resuming", "cont"),
  here("released.perished", "givingUp", "kill"),
  here("released.giveUp", "destroying", "kill"),
  here("released.resumed", "repeat"),
  here("givingUp.qemuGone", "departed"),
  here("released.restarted", "destroying", "kill"),
  here("released.sent", "destroying", "kill"),
  here("bereft.restarted", "gone"),
  here("lost.qemuGone", "gone"),
  here("lost.restarted", "bereft"),
  here("departed.restarted", "released"),
  // Somebody waits for ever.
  here("released.landed", "repeat"),
  here("released.returned", "repeat"),
  here("released.qemuGone", "repeat"),
  here("reclaimed.returned", "repeat"),
  here("cancelling.sent", "repeat"),
  here("performing.gate", "repeat"),
  here("performing.gate", "performing"),
];

function there(at: string, ...cell: string[]): Mutant {
  return broken("destination", at, cell);
}

function here(at: string, ...cell: string[]): Mutant {
  return broken("source", at, cell);
}

function broken(side: Side, at: string, [first = "", ...effects]: string[]): Mutant {
  const [phase = "", heard = ""] = at.split(".");
  const cell: Spelled = first === "repeat" ? "repeat" : [first, ...effects];
  return { side, phase, heard, cell };
}
