/*
 * Hearing, in the world: decide by the table, write the phase as durably as the protocol asks, put
 * the effects in the queue, and let the words of the new phase go on their way. It is the driver of
 * `@ferry/agent-kit` in a world without time. Between the writing and each effect lies an instant
 * of its own, in which an agent can die.
 */
import {
  type DestinationHeard,
  hear,
  type SourceHeard,
  sourceWord,
  verdictOf,
} from "@ferry/protocol";
import type { Protocol } from "./setting.js";
import {
  ARRIVALS_MAX,
  arrivalNumber,
  type DestinationHost,
  destinationOf,
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
  const step = hear(protocol.source, before.phase, heard);
  if (step.answer !== "moved") return world;
  const { phase } = step;
  const arrival = also.arrival ?? before.arrival;
  const record = { phase, arrival };
  const durability = protocol.sourceDurability[phase];
  const next = withSource(world, {
    ...also,
    phase,
    queue: [...before.queue, ...step.effects.filter((effect) => !before.queue.includes(effect))],
    ...(durability === "none" ? {} : { disk: record }),
    ...(durability === "fsync" ? { synced: record } : {}),
  });
  return sourceSays(next, protocol);
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
  const step = hear(protocol.destination, before.phase, heard);
  if (step.answer !== "moved") return world;
  const { phase } = step;
  const durability = protocol.destinationDurability[phase];
  const verdict = verdictOf(phase);
  return withDestination(world, at, {
    phase,
    queue: [...before.queue, ...step.effects.filter((effect) => !before.queue.includes(effect))],
    ...(durability === "none" ? {} : { disk: phase }),
    ...(durability === "fsync" ? { synced: phase } : {}),
    ...(verdict === "pending" ? {} : { told: tell(before, verdict), tether: "none" }),
  });
}

export function tell(
  host: DestinationHost,
  verdict: ReturnType<typeof verdictOf>,
): DestinationHost["told"] {
  return (host.arrivals - 1) % ARRIVALS_MAX === 0
    ? [verdict, host.told[1]]
    : [host.told[0], verdict];
}
