/*
 * What can happen next at a destination: orders, words over Meet in any order and at any time, and
 * news, which is a fact that can be heard for as long as it is true.
 */
import { type DestinationHeard, type SourceWord, sourceWord } from "@ferry/protocol";
import { destinationActs, destinationQemu, keeper } from "./destination-acts.js";
import { comesBack, destinationFaults } from "./destination-faults.js";
import { type Emit, nameOf, type Say } from "./happening.js";
import { destinationAt, destinationHears, isPresent, withDestination } from "./hearing.js";
import type { Here } from "./here.js";
import type { Protocol, Setting } from "./setting.js";
import { isUnlanded, lawOfDiscard } from "./unlanded.js";
import {
  ARRIVALS_MAX,
  type DestinationHost,
  destinationOf,
  qemuAlive,
  type World,
} from "./world.js";
import { destinationWriteFails } from "./writing.js";

export function destinationHappenings(
  world: World,
  at: number,
  protocol: Protocol,
  setting: Setting,
  emit: Emit,
): void {
  const host = destinationAt(world, at);
  const who = nameOf(at);
  const say: Say = (what, calm, next, broken) => emit({ who, what, calm, next, broken });
  const here: Here = { world, at, host, protocol, setting, say };
  if (host.agent) {
    orders(here);
    words(here);
    news(here);
    destinationActs(here);
  } else comesBack(here);
  destinationQemu(here);
  keeper(here);
  destinationFaults(here);
}

function hears(
  here: Here,
  heard: DestinationHeard,
  calm: boolean,
  also: Partial<DestinationHost> = {},
  how = "",
): void {
  const { world, at, protocol, say } = here;
  const before = Object.keys(also).length === 0 ? world : withDestination(world, at, also);
  const next = destinationHears(before, protocol, at, heard);
  say(
    `hears ${heard}${how}`,
    calm,
    next,
    lawOfDiscard(destinationAt(world, at), heard, destinationAt(next, at)),
  );
  destinationWriteFails(here, heard, also);
}

function orders(here: Here): void {
  const { world, at, host, protocol, say, setting } = here;
  prepare(here);
  hears(here, "abandon", false);
  const next = destinationHears(world, protocol, at, "ordered");
  const heeded = protocol.destination[host.phase].ordered !== "refuse";
  const landable = isUnlanded(host) || host.phase === "untying";
  say(
    "hears ordered",
    false,
    heeded && landable ? withDestination(next, at, { ordered: true }) : next,
  );
  if (mayOverride(here) && destinationHears(world, protocol, at, "override") !== world) {
    const lied = host.lied || !isDown(here);
    hears(here, "override", false, { overridden: true, lied });
  }
  // The tether breaks, sooner or later, when nobody holds it any more; hearing of it takes time.
  if (host.tether === "held")
    say("tether is cut", true, withDestination(world, at, { tether: "cut" }));
  if (host.tether === "cut") hears(here, "cut", true, { tether: "none" });
  if (setting.monitorsFail && qemuAlive(host)) losesSight(here, false);
}

/** Answers that were on their way are not waited for any more: QEMU is looked at anew. */
function losesSight(here: Here, calm: boolean, how = ""): void {
  const queue = here.host.queue.filter((effect) => effect !== "cont" && effect !== "look");
  const owed = here.host.owed === "restarted" ? "nothing" : here.host.owed;
  hears(here, "restarted", calm, { queue, answer: "none", owed }, how);
}

/** A new arrival under this id. Its number is new to whoever was told an earlier one. */
function prepare({ world, at, host, protocol, say }: Here): void {
  const next = destinationHears(world, protocol, at, "prepare");
  if (next === world) return;
  const untold =
    host.arrivals > 0 && !host.endpointTold && host.told[host.arrivals - 1] === "pending";
  const arrivals = untold ? host.arrivals : host.arrivals + 1;
  if (arrivals > ARRIVALS_MAX) return;
  const anew: Partial<DestinationHost> = {
    arrivals,
    tether: "held",
    endpointTold: false,
    ordered: false,
    ran: false,
    old: false,
    overridden: false,
    lied: false,
    ...(protocol.wordsNameArrivals
      ? { saidReleased: false, saidBereft: false, saidRecalled: false }
      : {}),
  };
  say("hears prepare", false, withDestination(next, at, anew));
}

function mayOverride(here: Here): boolean {
  const { setting } = here;
  if (setting.override === "never") return false;
  return setting.override === "lying" || isDown(here);
}

/** The source's host is gone, and its QEMU with it. */
function isDown({ world }: Here): boolean {
  return !world.source.agent && world.source.qemu === "dead";
}

/** A word may come late, twice, out of order or never; the source's present one is restated. */
function words(here: Here): void {
  const { world, at, host, protocol } = here;
  if (host.phase === "empty") return;
  const { source } = world;
  const meant = source.agent && isPresent(world, source.arrival, protocol);
  const mine = meant && destinationOf(source.arrival) === at;
  if (host.dialled) {
    const dialling = source.agent && source.phase === "meeting" && source.target === at;
    const next = destinationHears(world, protocol, at, "met");
    const after = destinationAt(next, at);
    const told = isUnlanded(after) && after.phase !== "preparing" && after.phase !== "prepared";
    here.say(
      "hears met",
      dialling || mine,
      told && !after.endpointTold ? withDestination(next, at, { endpointTold: true }) : next,
    );
  }
  // A source that kept its guest says so for a while only, unless a person stood in for this host.
  const restates = mine && (source.phase !== "kept" || source.overridden);
  const restated = (word: SourceWord) => restates && sourceWord(source.phase) === word;
  if (host.saidReleased) hears(here, "released", restated("released"));
  if (host.saidBereft) hears(here, "bereft", restated("bereft"));
  if (host.saidRecalled) hears(here, "recalled", restated("recalled"));
}

function news(here: Here): void {
  const { host } = here;
  switch (host.qemu) {
    case "listening":
      hears(here, "listening", true);
      break;
    case "loaded":
      hears(here, "loaded", true);
      break;
    case "dead":
      hears(here, "qemuGone", true);
      break;
    default:
  }
  if (isDecided(here)) {
    // The source acknowledges `perished` once a person has decided: what is left is cleared away.
    const cleared = { qemu: "dead", keeper: "none" } as const;
    here.say("clears what perished", true, withDestination(here.world, here.at, cleared));
  }
  if (host.keeper === "freed" || host.keeper === "freedGone") hears(here, "freed", true);
  if (host.keeper === "gone" || host.keeper === "freedGone") hears(here, "keeperGone", true);
  if (host.answer !== "none") {
    hears(here, host.answer === "ran" ? "ran" : "contRefused", true, { answer: "none" });
  }
  if (host.owed === "restarted") losesSight(here, true, " again");
  else if (host.owed !== "nothing") hears(here, host.owed, true, { owed: "nothing" }, " again");
  if (host.qemu === "receiving") hears(here, "waited", !isSending(here));
}

/** It perished here, and its source has ended by a person's word. */
function isDecided({ world, host, protocol, at }: Here): boolean {
  const { source } = world;
  const ended = source.agent && (source.phase === "kept" || source.phase === "gone");
  const mine = isPresent(world, source.arrival, protocol) && destinationOf(source.arrival) === at;
  return host.phase === "perished" && qemuAlive(host) && ended && mine;
}

/** The source's QEMU may still fill this one. */
function isSending({ world, at }: Here): boolean {
  const { peer } = world.source;
  return peer !== 0 && destinationOf(peer) === at;
}
