/*
 * What can happen next at the source. News is a fact that can be heard for as long as it is true,
 * and again and again: looking at QEMU after a restart tells the same as an event that was lost.
 */
import { type SourceHeard, type SourcePhase, type Verdict, verdictOf } from "@ferry/protocol";
import type { Emit, Say } from "./happening.js";
import { destinationAt, heeded, isPresent, sourceHears, withSource } from "./hearing.js";
import type { Protocol, Setting } from "./setting.js";
import { sourceActs, sourceQemu } from "./source-acts.js";
import { comesBack, sourceFaults } from "./source-faults.js";
import {
  arrivalNumber,
  destinationOf,
  qemuAlive,
  runsHere,
  type SourceHost,
  toldOf,
  type World,
} from "./world.js";
import { sourceWriteFails } from "./writing.js";

export function sourceHappenings(
  world: World,
  protocol: Protocol,
  setting: Setting,
  emit: Emit,
): void {
  const say: Say = (what, calm, next, broken) => emit({ who: "source", what, calm, next, broken });
  if (world.source.agent) {
    orders(world, protocol, setting, say);
    news(world, protocol, setting, say);
    sourceActs(world, protocol, say);
  } else say("agent comes back", true, comesBack(world, protocol));
  sourceQemu(world, setting, say);
  sourceFaults(world, setting, say);
}

function orders(world: World, protocol: Protocol, setting: Setting, say: Say): void {
  const { source } = world;
  const hears = (heard: SourceHeard, calm: boolean, also?: Partial<SourceHost>) => {
    say(`hears ${heard}`, calm, sourceHears(world, protocol, heard, { ...also, ...heeded(heard) }));
    sourceWriteFails(world, heard, { protocol, setting, say }, also);
  };
  hears("begin", false);
  hears("lapsed", true);
  // The agent gives up by itself if the two cannot meet.
  hears("abort", source.phase === "meeting");
  for (let target = 0; target < setting.destinations; target += 1) {
    hears("perform", false, source.phase === "begun" ? { target } : {});
  }
  if (mayOverride(world, protocol, setting)) {
    const lied = source.lied || !mayTruthfully(world, protocol);
    hears("override", false, { lied });
    // Where it may have been taken back meanwhile, the agent looks at QEMU before it destroys anything.
    if (source.perished || !runsHere(source)) hears("giveUp", false, { lied });
  }
  if (source.owed !== "nothing") hears(source.owed, true, { owed: "nothing" });
  // A person starts a guest anew once its departure is closed and no QEMU is left.
  if (source.phase === "gone" && source.qemu === "dead") {
    say("guest is started anew", false, withSource(world, { qemu: "fresh" }));
  }
}

/** A person stands in for the destination's word, or decides once that is `perished`. */
function mayOverride(world: World, protocol: Protocol, { override }: Setting): boolean {
  if (override === "never" || world.source.arrival === 0) return false;
  return override === "lying" || mayTruthfully(world, protocol);
}

/** The destination's word will never come, or left it to a person; and nothing of the guest lives there. */
function mayTruthfully(world: World, protocol: Protocol): boolean {
  const { perished, arrival } = world.source;
  if (perished) return true;
  const host = destinationAt(world, destinationOf(arrival));
  const forgotten = host.phase === "empty" || !isPresent(world, arrival, protocol);
  return (!host.agent || forgotten) && !qemuAlive(host);
}

function news(world: World, protocol: Protocol, setting: Setting, say: Say): void {
  const { source } = world;
  const hears = (heard: SourceHeard, also: Partial<SourceHost> = {}, calm = true) => {
    say(`hears ${heard}`, calm, sourceHears(world, protocol, heard, also));
    sourceWriteFails(world, heard, { protocol, setting, say }, also);
  };
  const named = destinationAt(world, source.target);
  if (source.phase === "meeting" && named.endpointTold) {
    const arrival = arrivalNumber(source.target, named.arrivals);
    hears("met", { arrival }, named.agent && verdictOf(named.phase) === "pending");
  } else if (source.arrival !== 0 && isPresent(world, source.arrival, protocol)) {
    hears("met");
  }
  switch (source.qemu) {
    case "runs":
      // Looking at QEMU shows no copy at all: it was cancelled, or forgotten, before it began.
      if (isCopying(source.phase) && !source.queue.includes("migrate")) hears("failedEarly");
      break;
    case "gate":
      hears("gate", { wentOn: false });
      hears("stale", { wentOn: false });
      break;
    case "sent":
      hears("sent");
      break;
    case "failed":
      hears(source.wentOn ? "failedLate" : "failedEarly");
      break;
    case "awake":
      if (protocol.looksBeforeRelease) hears("failedLate");
      else hears("sent");
      hears("resumed");
      break;
    case "dead":
      hears("qemuGone");
      break;
    default:
  }
  verdicts(world, protocol, setting, say);
}

function isCopying(phase: SourcePhase): boolean {
  return phase === "performing" || phase === "cancelling";
}

/** A verdict may be heard late; a destination that is up restates the one it has. */
function verdicts(world: World, protocol: Protocol, setting: Setting, say: Say): void {
  const { source } = world;
  if (source.arrival === 0) return;
  const host = destinationAt(world, destinationOf(source.arrival));
  const told = protocol.wordsNameArrivals ? [toldOf(world, source.arrival)] : host.told;
  for (const verdict of told) {
    if (verdict === "pending") continue;
    const restated =
      host.agent && verdictOf(host.phase) === verdict && isPresent(world, source.arrival, protocol);
    const next = sourceHears(world, protocol, verdict);
    say(`hears ${verdict}`, restated, remember(next, verdict));
    sourceWriteFails(world, verdict, { protocol, setting, say });
  }
}

/** The driver remembers `perished`: from now on a person decides. */
function remember(world: World, verdict: Verdict): World {
  if (verdict !== "perished" || world.source.perished) return world;
  return withSource(world, { perished: true });
}
