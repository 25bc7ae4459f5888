/*
 * What each side says to the other over Meet, and when it has no more to say. Both are read off the
 * phase alone, after the phase was written down: so a word can be restated on every beat and after
 * every restart, and no word is ever said before what it says is on disk.
 */
import type { DestinationPhase } from "./destination.js";
import type { SourcePhase } from "./source.js";

/** The destination's answer. Once it is not `pending` it never changes. */
export type Verdict = "pending" | "landed" | "returned" | "perished";

export function verdictOf(phase: DestinationPhase): Verdict {
  return phase === "landed" || phase === "returned" || phase === "perished" ? phase : "pending";
}

/** What the source says of custody. `none` only asks. */
export type SourceWord = "none" | "released" | "bereft" | "recalled";

export function sourceWord(phase: SourcePhase): SourceWord {
  switch (phase) {
    case "released":
    case "bereft":
      return phase;
    case "reclaimed": // I will never release: kill yours
    case "lost":
    case "kept":
      return "recalled";
    default:
      return "none";
  }
}

/** Nothing moves a migration any more at the destination. */
export function destinationSettled(phase: DestinationPhase): boolean {
  return verdictOf(phase) !== "pending";
}

/** Nothing moves a migration any more at the source. */
export function sourceSettled(phase: SourcePhase): boolean {
  return phase === "kept" || phase === "gone" || phase === "departed";
}
