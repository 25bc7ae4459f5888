/*
 * What can be claimed of the worlds that only a mutant reaches, so that it is harmless. In each of them
 * all laws were looked at, and it comes to rest where worlds come to rest; a claim says why that is so.
 */
import type { Novel } from "./mutants.js";
import { type DestinationHost, toldOf, type World } from "./world.js";

export type Claim = (novel: Novel) => boolean;

const inEach =
  (holds: (host: DestinationHost, world: World) => boolean): Claim =>
  ({ world }) =>
    world.destinations.every((host) => holds(host, world));

const ofSource =
  (holds: (source: World["source"], world: World) => boolean): Claim =>
  ({ world }) =>
    holds(world.source, world);

/** There is none: the mutant reaches only worlds that the real tables reach. */
export const nothingNew: Claim = () => false;

/** The arrival that the source means, or will mean when its agent is back. */
const meant = ({ agent, arrival, disk }: World["source"]) => (agent ? arrival : disk?.arrival) ?? 0;

export const nothingBegun = ofSource((source) => meant(source) === 0);

/** Its QEMU is dead, or was started afresh by a person since. */
export const sourceIsDead = ofSource(({ qemu }) => qemu === "dead" || qemu === "fresh");

export const sourceRunsOrIsDead = ofSource(({ qemu }) => /^(awake|dead|fresh)$/.test(qemu));

export const returned = ofSource((source, world) => toldOf(world, meant(source)) === "returned");

export const thereIsDead = inEach(({ qemu }) => qemu === "dead" || qemu === "none");

/** The present arrival, that is: a disk may be lost, and the id prepared again. */
export const neverRan = inEach(({ ran, arrivals }) => !ran || arrivals > 1);

export const keeperIsDead = inEach(
  ({ keeper, arrivals }) => keeper === "gone" || keeper === "none" || arrivals > 1,
);

/** The real tables reach that world, but for what is taken out of either host. */
const realBut =
  (
    source: (host: World["source"]) => World["source"],
    destination: (host: DestinationHost) => DestinationHost,
  ): Claim =>
  ({ world, isReal }) =>
    isReal({ source: source(world.source), destinations: world.destinations.map(destination) });

const asItIs = <Host>(host: Host) => host;

/** But for the second order to free the keeper. */
export const freedTwice = realBut(asItIs, (host) => ({
  ...host,
  queue: host.queue.filter((effect) => effect !== "freeKeeper"),
}));

const withoutKillOfTheDead = <Host extends World["source"] | DestinationHost>(host: Host): Host =>
  host.qemu === "dead"
    ? { ...host, queue: host.queue.filter((effect) => effect !== "kill") }
    : host;

/** But for the second order to kill a QEMU: by then it is dead. */
export const killedTwice = realBut(withoutKillOfTheDead, withoutKillOfTheDead);

const wordless = (record: World["source"]["disk"]) =>
  record === undefined ? undefined : { ...record, word: "none" as const };

/** As `killedTwice`, and but for the word of a person who gave up what was being killed. */
export const givenUpTwice = realBut(
  (source) => ({
    ...withoutKillOfTheDead(source),
    disk: wordless(source.disk),
    synced: wordless(source.synced),
    overridden: false,
    givenUp: false,
  }),
  withoutKillOfTheDead,
);

/** As `killedTwice`, and but for the word of a person to land what was being killed. */
export const overriddenInVain = realBut(withoutKillOfTheDead, (host) => ({
  ...withoutKillOfTheDead(host),
  overridden: false,
}));
