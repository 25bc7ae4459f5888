/* What comes of the source's effects, and what its QEMU does by itself. */
import type { SourceEffect } from "@ferry/protocol";
import type { Say } from "./happening.js";
import { destinationAt, withDestination, withSource } from "./hearing.js";
import type { Protocol, Setting } from "./setting.js";
import { arrivalNumber, type DestinationHost, destinationOf, toldOf, type World } from "./world.js";

/** An agent that dies has not carried out what is left in its queue. */
export function sourceActs(world: World, protocol: Protocol, say: Say): void {
  const { queue } = world.source;
  const ready = protocol.effectsInOrder ? queue.slice(0, 1) : queue;
  for (const effect of ready) {
    const rest = withSource(world, { queue: queue.filter((it) => it !== effect) });
    for (const [next, broken] of carriedOut(rest, effect)) {
      say(`does ${effect}`, true, next, broken);
    }
  }
}

/** What may come of an effect, and the law that it breaks. */
function carriedOut(world: World, effect: SourceEffect): [World, (string | undefined)?][] {
  const { source } = world;
  switch (effect) {
    case "meet":
      return [[withDestination(world, source.target, { dialled: true })]];
    case "migrate": {
      if (source.qemu !== "runs") return [[world]];
      // Only the QEMU of this very arrival listens on its port, and has its key.
      const { arrival } = source;
      if (peerOf(world, arrival)?.qemu !== "listening") {
        return [[withSource(world, { qemu: "failed", peer: 0 })]];
      }
      const connected = withSource(world, { qemu: "copies", peer: arrival });
      return [[withDestination(connected, destinationOf(arrival), { qemu: "receiving" })]];
    }
    case "goOn": {
      const qemu = source.qemu === "gate" ? "device" : source.qemu;
      return [[withSource(world, { wentOn: true, qemu })]];
    }
    case "cancel": {
      if (source.qemu === "copies" || source.qemu === "gate") {
        return [[withSource(world, { qemu: "failed", peer: 0 })]];
      }
      // In the switchover a cancel may come too late, or not be answered.
      if (source.qemu === "device")
        return [[withSource(world, { qemu: "failed", peer: 0 })], [world]];
      return [[world]];
    }
    case "cont": {
      const qemu = source.qemu === "sent" ? "awake" : source.qemu;
      return [[withSource(world, { qemu }), lawOfCont(world)]];
    }
    case "kill":
      return [[withSource(world, { qemu: "dead", peer: 0 }), lawOfKill(world)]];
  }
}

function lawOfCont(world: World): string | undefined {
  const { source } = world;
  if (source.qemu === "gate" || source.qemu === "device" || source.qemu === "copies") {
    return "a copy that is under way is cancelled before the guest is woken here";
  }
  const given = source.gaveAway && toldOf(world, source.arrival) !== "returned";
  return given && !source.overridden
    ? "after its release the source wakes the guest only on `returned` or a person's word"
    : undefined;
}

function lawOfKill(world: World): string | undefined {
  const { arrival, overridden, givenUp } = world.source;
  if (overridden) return givenUp ? undefined : "a copy that a person took back is not destroyed";
  return toldOf(world, arrival) === "landed"
    ? undefined
    : "the source kills its copy only after `landed` was said of that very arrival, or by a person's word";
}

/** The host with the QEMU of that arrival, unless it lost it. */
function peerOf(world: World, arrival: number): DestinationHost | undefined {
  if (arrival === 0) return undefined;
  const at = destinationOf(arrival);
  const host = destinationAt(world, at);
  return arrivalNumber(at, host.arrivals) === arrival ? host : undefined;
}

/** What QEMU does by itself. A copy fails when anything on its way breaks, at any time. */
export function sourceQemu(world: World, setting: Setting, say: Say): void {
  const { source } = world;
  const peer = peerOf(world, source.peer);
  const at = destinationOf(source.peer);
  const connected =
    peer !== undefined &&
    (peer.qemu === "receiving" || peer.qemu === "filled" || peer.qemu === "loaded");
  const fail = () =>
    say("QEMU's copy fails", !connected, withSource(world, { qemu: "failed", peer: 0 }));
  const fill = (next: World) =>
    peer?.qemu === "receiving" ? withDestination(next, at, { qemu: "filled" }) : next;
  switch (source.qemu) {
    case "copies":
      if (peer?.qemu === "receiving") {
        say("QEMU stands at the gate", true, withSource(world, { qemu: "gate" }));
      }
      fail();
      break;
    case "gate":
      fail();
      break;
    case "device":
      say("QEMU sends the last byte", connected, fill(world));
      say("QEMU completes", connected, fill(withSource(world, { qemu: "sent", peer: 0 })));
      fail();
      break;
    default:
  }
  if (setting.qemusDie && source.qemu !== "dead") {
    say("QEMU dies", false, withSource(world, { qemu: "dead", peer: 0 }));
  }
}
