/*
 * Hearing, in the world: decide by the table, write the phase as durably as the protocol asks, put
 * the effects in the queue, and let the words of the new phase go on their way. It is the driver of
 * `@ferry/agent-kit` in a world without time. Between the writing and each effect lies an instant
 * of its own, in which an agent can die.
 */
import {
  type DestinationHeard,
  type Durability,
  destinationSettled,
  hear,
  type SourceHeard,
  type SourcePhase,
  sourceSettled,
  sourceWord,
  verdictOf,
} from "@ferry/protocol";
import { reading } from "./cells.js";
import type { Protocol } from "./setting.js";
import {
  ARRIVALS_MAX,
  arrivalNumber,
  type DestinationHost,
  destinationOf,
  type PersonsWord,
  type SourceHost,
  type World,
} from "./world.js";

export function withSource(world: World, change: Partial<SourceHost>): World {
  return { source: { ...world.source, ...change }, destinations: world.destinations };
}

export function withDestination(world: World, at: number, change: Partial<DestinationHost>): World {
  const destinations = world.destinations.slice();
  destinations[at] = { ...destinationAt(world, at), ...change };
  return { source: world.source, destinations };
}

export function destinationAt(world: World, at: number): DestinationHost {
  const host = world.destinations[at];
  if (host === undefined) throw new Error(`there is no destination ${at}`);
  return host;
}

/** The source hears something; `bind` is the arrival that a first meeting binds it to. */
export function sourceHears(
  world: World,
  protocol: Protocol,
  heard: SourceHeard,
  also: Partial<SourceHost> = {},
): World {
  const before = world.source;
  const owed = also.owed ?? before.owed;
  if (owed !== "nothing" && owed !== heard && protocol.endingsFirst) return world;
  reading("source", before.phase, heard);
  const step = hear(protocol.source, before.phase, heard);
  if (step.answer !== "moved") return world;
  const { phase } = step;
  const arrival = also.arrival ?? before.arrival;
  const foretelling = foretold(before, heard);
  const word = (foretelling.disk ?? before.disk)?.word ?? "none";
  const record = { phase, arrival, word };
  const durability = durabilityOf(before, phase, protocol);
  if (isDeparted(before) && durability !== "none" && before.disk?.phase !== phase) return world;
  const next = withSource(world, {
    ...also,
    ...foretelling,
    phase,
    owed: "nothing",
    queue: [...before.queue, ...step.effects.filter((effect) => !before.queue.includes(effect))],
    ...(durability === "none" ? {} : { disk: record }),
    ...(durability === "fsync" ? { synced: record } : {}),
  });
  return sourceSays(next, protocol);
}

/** A person's word, in the record and synced. */
export function foretold({ disk }: SourceHost, heard: SourceHeard): Partial<SourceHost> {
  if (disk === undefined || !isPersons(heard)) return {};
  const record = { ...disk, word: heard };
  return { disk: record, synced: record };
}

export function isPersons(heard: SourceHeard | "none" | "nothing"): heard is PersonsWord {
  return heard === "override" || heard === "giveUp";
}

/** Who was heeded, for the laws. */
export function heeded(heard: SourceHeard | "none" | "nothing"): Partial<SourceHost> {
  if (!isPersons(heard)) return {};
  return { overridden: true, givenUp: heard === "giveUp" };
}

/** How well the source writes a phase down. */
export function durabilityOf(
  { disk }: SourceHost,
  next: SourcePhase,
  { overwritesReleased, sourceDurability }: Protocol,
): Durability {
  const overwrites = next === "retaking" && disk?.phase === "released" && overwritesReleased;
  return overwrites ? "fsync" : sourceDurability[next];
}

/** The word of this phase is on its way from now on; it will be restated, and it may come late. */
export function sourceSays(world: World, protocol: Protocol): World {
  const { arrival, phase } = world.source;
  const word = sourceWord(phase);
  if (word === "none" || arrival === 0) return world;
  const given = word === "recalled" ? world : withSource(world, { gaveAway: true });
  const at = destinationOf(arrival);
  if (!isPresent(given, arrival, protocol)) return given;
  return withDestination(given, at, SAID[word]);
}

const SAID = {
  released: { saidReleased: true },
  bereft: { saidBereft: true },
  recalled: { saidRecalled: true },
} as const;

/** The destination's present arrival is the one that is meant. */
export function isPresent(world: World, arrival: number, protocol: Protocol): boolean {
  if (arrival === 0) return false;
  const at = destinationOf(arrival);
  const { arrivals } = destinationAt(world, at);
  return !protocol.wordsNameArrivals || arrivalNumber(at, arrivals) === arrival;
}

/** A destination hears something. A verdict is on its way as soon as it is written. */
export function destinationHears(
  world: World,
  protocol: Protocol,
  at: number,
  heard: DestinationHeard,
): World {
  const before = destinationAt(world, at);
  const { owed } = before;
  const busy = owed !== "nothing" && owed !== "restarted" && owed !== heard;
  if (busy && protocol.endingsFirst) return world;
  reading("destination", before.phase, heard);
  const step = hear(protocol.destination, before.phase, heard);
  if (step.answer !== "moved") return world;
  const { phase } = step;
  const durability = protocol.destinationDurability[phase];
  if (isEnded(before) && durability !== "none" && before.disk !== phase) return world;
  const verdict = verdictOf(phase);
  return withDestination(world, at, {
    phase,
    owed: "nothing",
    queue: [...before.queue, ...step.effects.filter((effect) => !before.queue.includes(effect))],
    ...(durability === "none" ? {} : { disk: phase }),
    ...(durability === "fsync" ? { synced: phase } : {}),
    ...(verdict === "pending" ? {} : { told: tell(before, verdict), tether: "none" }),
  });
}

/** An ending that is on disk, synced or not, and not known here: the store refuses another one. */
export function isDeparted({ disk, phase }: SourceHost): boolean {
  return disk !== undefined && sourceSettled(disk.phase) && !sourceSettled(phase);
}

/** As `isDeparted`. */
export function isEnded({ disk, phase }: DestinationHost): boolean {
  return disk !== undefined && destinationSettled(disk) && !destinationSettled(phase);
}

export function tell(
  host: DestinationHost,
  verdict: ReturnType<typeof verdictOf>,
): DestinationHost["told"] {
  return (host.arrivals - 1) % ARRIVALS_MAX === 0
    ? [verdict, host.told[1]]
    : [host.told[0], verdict];
}
