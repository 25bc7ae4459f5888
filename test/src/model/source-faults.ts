/* How the source's host fails, and how its agent comes back. */
import type { Say } from "./happening.js";
import { heeded, sourceHears, sourceSays, withSource } from "./hearing.js";
import type { Protocol, Setting } from "./setting.js";
import { destinationOf, runsHere, type SourceHost, type World } from "./world.js";

export const SOURCE_ASLEEP: Partial<SourceHost> = {
  agent: false,
  phase: "idle",
  target: 0,
  arrival: 0,
  wentOn: false,
  perished: false,
  queue: [],
  owed: "nothing",
};

export function sourceFaults(world: World, setting: Setting, say: Say): void {
  const { source } = world;
  if (setting.agentsDie && source.agent) say("agent dies", false, withSource(world, SOURCE_ASLEEP));
  if (!setting.powerFails) return;
  const off = withSource(world, { ...SOURCE_ASLEEP, qemu: "dead", peer: 0 });
  say("host loses its power", false, withSource(off, { synced: source.disk }));
  if (source.disk !== source.synced) {
    say(
      "host loses its power and what was not synced",
      false,
      withSource(off, { disk: source.synced }),
    );
  }
}

/** The agent reads its record, and hears `restarted` before anything else but a death. */
export function comesBack(world: World, protocol: Protocol): World {
  const { disk, qemu: found } = world.source;
  // A person's word that was written down, and perhaps not acted upon: before anybody else speaks. But
  // nothing is given up that runs: the disk may have refused the word, and then the guest was returned.
  const written = disk?.word ?? "none";
  const word = written === "giveUp" && runsHere(world.source) ? "none" : written;
  const up = withSource(world, {
    agent: true,
    phase: disk?.phase ?? "idle",
    arrival: disk?.arrival ?? 0,
    target: disk === undefined || disk.arrival === 0 ? 0 : destinationOf(disk.arrival),
    wentOn: disk !== undefined,
    ...heeded(word),
    ...(protocol.syncsWhatItReads ? { synced: disk } : {}),
  });
  const said = sourceSays(up, protocol);
  const looked = found === "dead" ? sourceHears(said, protocol, "qemuGone") : said;
  const restarted = sourceHears(looked, protocol, "restarted");
  return word === "none" ? restarted : sourceHears(restarted, protocol, word);
}
