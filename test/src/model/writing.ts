/*
 * Writing a phase down, as a world sees it: a record is replaced by a rename, and the rename is made
 * to last by a sync of its directory. An agent can die in between, or the disk can refuse either of
 * them. Then the old record is found or the new one, never half of one, and the step was not taken.
 */
import {
  type DestinationHeard,
  type DestinationPhase,
  hear,
  type SourceHeard,
  type SourcePhase,
  sourceSettled,
} from "@ferry/protocol";
import { destinationAsleep } from "./destination-faults.js";
import type { Say } from "./happening.js";
import {
  destinationAt,
  destinationHears,
  durabilityOf,
  foretold,
  isDeparted,
  isEnded,
  isPersons,
  sourceHears,
  withDestination,
  withSource,
} from "./hearing.js";
import type { Here } from "./here.js";
import type { Protocol, Setting } from "./setting.js";
import { SOURCE_ASLEEP } from "./source-faults.js";
import type { DestinationHost, PersonsWord, SourceHost, World } from "./world.js";

/** What is heard instead when the disk refuses a step that custody depends on; else it is retried. */
const SOURCE_INSTEAD: { readonly [P in SourcePhase]?: SourceHeard } = {
  performing: "abort",
  released: "abort",
};
const DESTINATION_INSTEAD: { readonly [P in DestinationPhase]?: DestinationHeard } = {
  prepared: "abandon",
  landing: "keeperGone", // it is decided with the keeper freed: nobody guards this QEMU but us
};

export interface Writing {
  readonly protocol: Protocol;
  readonly setting: Setting;
  readonly say: Say;
}

/** How writing may go wrong when the source hears that. */
export function sourceWriteFails(
  world: World,
  heard: SourceHeard,
  { protocol, setting, say }: Writing,
  also: Partial<SourceHost> = {},
): void {
  const { source } = world;
  if (isDeparted(source)) return; // another ending is refused anyway
  const step = hear(protocol.source, source.phase, heard);
  if (step.answer !== "moved" || step.phase === source.phase) return;
  if (isPersons(heard)) personsWordFails(world, heard, { protocol, setting, say }, also);
  const durability = durabilityOf(source, step.phase, protocol);
  if (durability === "none") return;
  const foretelling = foretold(source, heard);
  const word = (foretelling.disk ?? source.disk)?.word ?? "none";
  const record = { phase: step.phase, arrival: also.arrival ?? source.arrival, word };
  const renamed = withSource(world, { ...also, ...foretelling, disk: record });
  if (setting.agentsDie && durability === "fsync") {
    say(`dies while it writes ${step.phase}`, false, withSource(renamed, SOURCE_ASLEEP));
  }
  if (!setting.disksRefuse) return;
  const instead = SOURCE_INSTEAD[step.phase];
  for (const left of [withSource(world, also), renamed]) {
    const owing = sourceSettled(step.phase) ? withSource(left, { owed: heard }) : left;
    const next = instead === undefined ? owing : sourceHears(left, protocol, instead);
    const how = left === renamed ? "sync" : "write";
    say(`hears ${heard}, and the disk does not ${how} ${step.phase}`, false, next);
  }
}

/**
 * The word of a person may be on disk although nothing was done: then the person was told so, or the
 * agent is dead. An ending that it leads to is tried again; anything else the person says again.
 */
function personsWordFails(
  world: World,
  heard: PersonsWord,
  { setting, say }: Writing,
  also: Partial<SourceHost>,
): void {
  const { disk } = foretold(world.source, heard);
  if (disk === undefined) return;
  const written = withSource(world, { ...also, disk });
  if (setting.agentsDie) {
    say(`dies while it writes down ${heard}`, false, withSource(written, SOURCE_ASLEEP));
  }
  if (!setting.disksRefuse) return;
  say(`hears ${heard}, and the disk does not sync that`, false, written);
}

/** How writing may go wrong when a destination hears that. */
export function destinationWriteFails(
  { world, at, host, protocol, setting, say }: Here,
  heard: DestinationHeard,
  also: Partial<DestinationHost> = {},
): void {
  const step = hear(protocol.destination, host.phase, heard);
  if (step.answer !== "moved" || step.phase === host.phase) return;
  const durability = protocol.destinationDurability[step.phase];
  if (durability === "none") return;
  if (isEnded(host)) return; // it is refused anyway, and nothing is left of it
  const renamed = withDestination(world, at, { ...also, disk: step.phase });
  if (setting.agentsDie && durability === "fsync") {
    const died = withDestination(renamed, at, destinationAsleep(destinationAt(renamed, at)));
    say(`dies while it writes ${step.phase}`, false, died);
  }
  if (!setting.disksRefuse) return;
  const instead = DESTINATION_INSTEAD[step.phase];
  for (const left of [withDestination(world, at, also), renamed]) {
    const next =
      instead === undefined
        ? withDestination(left, at, { owed: heard })
        : destinationHears(left, protocol, at, instead);
    const how = left === renamed ? "sync" : "write";
    say(`hears ${heard}, and the disk does not ${how} ${step.phase}`, false, next);
  }
}
