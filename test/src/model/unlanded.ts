/* A guest that has not begun to land, and what it does not outlive. */
import type { DestinationHeard } from "@ferry/protocol";
import type { DestinationHost } from "./world.js";

const UNLANDED: ReadonlySet<string> = new Set([
  "preparing",
  "prepared",
  "receiving",
  "receivingOrdered",
  "receivingReleased",
  "receivingDue",
  "loaded",
  "loadedOrdered",
  "loadedReleased",
]);

/** Phases in which a guest is here that has not begun to land. */
export function isUnlanded(host: DestinationHost): boolean {
  return UNLANDED.has(host.phase);
}

/** Nobody may keep a guest after these, and a QEMU whose keeper died is not left unguarded. */
const GIVEN_UP: ReadonlySet<string> = new Set([
  "cut",
  "abandon",
  "recalled",
  "restarted",
  "keeperGone",
]);

/** The law that is broken if hearing this leaves the guest alive. */
export function lawOfDiscard(
  before: DestinationHost,
  heard: DestinationHeard,
  after: DestinationHost,
): string | undefined {
  const over = after.phase === "discarding" || after.phase === "returned";
  if (over) return undefined;
  if (isUnlanded(before) && before.qemu !== "dead" && GIVEN_UP.has(heard)) {
    return `a guest that has not begun to land is discarded on \`${heard}\``;
  }
  if (heard === "qemuGone" && (isUnlanded(before) || before.phase === "untying")) {
    return "a guest whose QEMU is known to be dead is not waited for";
  }
  return before.phase === "untying" && before.qemu !== "dead" && heard === "recalled"
    ? "`recalled` discards for as long as `landing` is not written"
    : undefined;
}
