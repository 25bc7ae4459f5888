/*
 * The laws, as sentences that are true in every world. Laws about a single act (a `cont`, a kill,
 * a thing heard) are judged where the act happens.
 */

import { destinationSettled, type SourcePhase, sourceSettled } from "@ferry/protocol";
import { nameOf } from "./happening.js";
import { destinationAt } from "./hearing.js";
import { isUnlanded } from "./unlanded.js";
import {
  type DestinationHost,
  qemuAlive,
  runsHere,
  type SourceHost,
  toldOf,
  type World,
} from "./world.js";

/** The first law that this world breaks, as a sentence; undefined if it breaks none. */
export function brokenLaw(world: World): string | undefined {
  const { source, destinations } = world;
  const running = (runsHere(source) ? 1 : 0) + destinations.filter(isRunning).length;
  if (running > 1) return "the guest never runs twice";
  const ofSource = lawOfSource(world, source);
  if (ofSource !== undefined) return ofSource;
  for (const [at, host] of destinations.entries()) {
    const law = lawOfDestination(source, host);
    if (law !== undefined) return `${nameOf(at)}: ${law}`;
  }
  return undefined;
}

function isRunning(host: DestinationHost): boolean {
  return host.qemu === "running";
}

function lawOfSource(world: World, source: SourceHost): string | undefined {
  const runs = runsHere(source);
  const told = toldOf(world, source.arrival);
  if (runs && source.old && !source.overridden) {
    return "an old copy never wakes after a newer one ran";
  }
  if (source.givenUp && runs && source.qemu !== "fresh") {
    return "a copy that a person gave up never wakes";
  }
  if (!source.agent) return undefined;
  if (source.gaveAway && runs && told !== "returned" && !source.overridden) {
    return "after its release the guest runs at the source only if the destination returned it";
  }
  switch (source.phase) {
    case "released":
      return source.qemu === "sent" || source.qemu === "dead" || source.qemu === "awake"
        ? undefined
        : "released is entered only when QEMU has completed";
    case "departed":
      return told === "landed" ? undefined : "a guest has departed only if it landed";
    case "gone":
      return !source.gaveAway || told === "returned" || source.overridden
        ? undefined
        : "a guest that was given away is gone only if it was returned";
    default:
      return undefined;
  }
}

function lawOfDestination(source: SourceHost, host: DestinationHost): string | undefined {
  const running = isRunning(host);
  if (running && host.old && !host.overridden)
    return "an old copy never wakes after a newer one ran";
  if (running && !source.gaveAway && !host.overridden) {
    return "the guest runs there only if the source gave it away";
  }
  if (host.agent && isUnlanded(host) && host.tether === "none" && host.qemu !== "dead") {
    return "a cut, once heard, leaves no guest that has not begun to land";
  }
  if (host.phase === "returned" && (host.ran || qemuAlive(host))) {
    return "returned is said only when QEMU is reaped and the guest never ran";
  }
  if (host.phase === "landed" && !host.ran) return "landed is said only of a guest that ran";
  if (host.phase === "perished" && running) return "perished is never said of a running guest";
  const guarded = host.agent || host.disk !== undefined;
  if (qemuAlive(host) && !guarded && (host.keeper === "none" || host.keeper === "freed")) {
    return "no QEMU is there without a keeper, a living agent or a record";
  }
  return undefined;
}

/** What the step from one world to the next must not do. */
export function brokenPromise(before: World, after: World): string | undefined {
  if (reopened(before.source, after.source))
    return "a departure that is closed is never opened again";
  if (leaves(before.source, after.source, "givingUp", "gone")) {
    return "a guest that a person gave up, and whose kill was ordered, is gone";
  }
  if (leaves(before.source, after.source, "destroying", "departed")) {
    return "a copy whose kill was ordered, since the guest landed, has departed";
  }
  for (const [at, host] of before.destinations.entries()) {
    const now = destinationAt(after, at);
    const law = now === host ? undefined : brokenVerdict(host, now);
    if (law !== undefined) return `${nameOf(at)}: ${law}`;
  }
  return undefined;
}

/** An agent that lives on goes from that phase to another one than `to`. */
function leaves(before: SourceHost, after: SourceHost, from: SourcePhase, to: SourcePhase) {
  if (!before.agent || !after.agent || before.phase !== from) return false;
  return after.phase !== from && after.phase !== to;
}

function reopened(before: SourceHost, after: SourceHost): boolean {
  const phase = before.agent ? before.phase : before.disk?.phase;
  if (!after.agent || phase === undefined || phase === after.phase) return false;
  return sourceSettled(phase) && !(phase === "kept" && after.phase === "gone");
}

function brokenVerdict(before: DestinationHost, after: DestinationHost): string | undefined {
  if (before.told.some((told, index) => told !== "pending" && after.told[index] !== told)) {
    return "a verdict, once told, never changes";
  }
  const phase = before.agent ? before.phase : before.disk;
  const moved = after.agent && phase !== undefined && phase !== after.phase;
  if (moved && destinationSettled(phase)) return "a phase that has a verdict is never left";
  if (moved && before.agent && phase === "discarding" && after.phase !== "returned") {
    return "a guest whose kill was ordered never lands: what comes of it is `returned`";
  }
  const perished = after.phase === "perished" && before.phase !== "perished";
  return perished && !["landing", "relanding", "perished"].includes(before.disk ?? "")
    ? "perished is said only after `landing` was written"
    : undefined;
}
