/*
 * Where a world may come to rest when the faults are over and no controller gives any order: the
 * guest has one home, or nobody needs it, or a person has been told. Everything else is somebody
 * left waiting for ever.
 */

import { sourceSettled } from "@ferry/protocol";
import { destinationAt } from "./hearing.js";
import {
  arrivalNumber,
  type DestinationHost,
  destinationOf,
  qemuAlive,
  runsHere,
  type World,
} from "./world.js";

/** Why nothing more needs to happen here; undefined if somebody waits for what never comes. */
export function restOf(world: World): string | undefined {
  const { source } = world;
  const there = thereOf(world);
  if (!othersAreClean(world)) return undefined;
  const alive = source.qemu !== "dead";
  // What a person decided comes about: nobody waits for a word any more.
  if (source.agent && source.overridden && !sourceSettled(source.phase)) return undefined;
  switch (source.phase) {
    case "idle":
    case "kept":
      if (!runsHere(source)) return undefined;
      if (there === "returned" || there === "unknown")
        return "at home: it never left, or came back";
      return isDecided(world) ? "at home, by a person's word" : undefined;
    case "departed":
      if (alive) return undefined;
      if (there === "landed") return "moved: it lives, or has ended, over there";
      return there === "unknown" ? "moved, and its new host lost its disk later" : undefined;
    case "gone":
      if (alive && source.qemu !== "fresh") return undefined;
      if (there === "returned" || there === "unknown")
        return "ended at home; it may be started anew";
      return isDecided(world) ? "ended at home, by a person's word" : undefined;
    case "reclaimed":
      return there === "unknown"
        ? "at home; a person: the old copy's host lost its disk"
        : undefined;
    case "lost":
      if (there === "unknown") return "a person: ended at home, and the other host lost its disk";
      return there === "perished" ? "a person: an override landed it, and it perished" : undefined;
    case "released":
    case "bereft":
      if (runsHere(source)) return undefined; // it was taken back, and nobody says so
      if (there === "perished") return "a person: given away, and perished";
      return there === "unknown"
        ? "a person: given away, and the other host lost its disk"
        : undefined;
    default:
      return undefined;
  }
}

type There = "pending" | "landed" | "returned" | "perished" | "unknown";

/** A person stood in for the destination's word, and nothing is left there of what perished. */
function isDecided(world: World): boolean {
  const { overridden, arrival } = world.source;
  const host = destinationAt(world, destinationOf(arrival));
  return overridden && (host.phase !== "perished" || !qemuAlive(host));
}

/** What the destination knows of the arrival that the source means. */
function thereOf(world: World): There {
  const { arrival } = world.source;
  if (arrival === 0) return "unknown";
  const at = destinationOf(arrival);
  const host = destinationAt(world, at);
  if (arrivalNumber(at, host.arrivals) !== arrival || host.phase === "empty") return "unknown";
  return settledAs(host);
}

function settledAs({ phase }: DestinationHost): There {
  return phase === "landed" || phase === "returned" || phase === "perished" ? phase : "pending";
}

/** Arrivals that the source does not mean have left nothing behind. */
function othersAreClean({ source, destinations }: World): boolean {
  return destinations.every((host, at) => {
    if (arrivalNumber(at, host.arrivals) === source.arrival && source.arrival !== 0) return true;
    return !qemuAlive(host) && (host.phase === "empty" || host.phase === "returned");
  });
}
