/* How a destination's host fails, and how its agent comes back. */
import { destinationSettled } from "@ferry/protocol";
import { lawOfKill } from "./destination-acts.js";
import { destinationHears, withDestination } from "./hearing.js";
import type { Here } from "./here.js";
import { type DestinationHost, qemuAlive, type World } from "./world.js";

const ASLEEP: Partial<DestinationHost> = {
  agent: false,
  phase: "empty",
  tether: "none",
  queue: [],
  answer: "none",
};

export function destinationFaults({ world, at, host, say, setting }: Here): void {
  if (setting.agentsDie && host.agent) {
    const orphaned = host.keeper === "armed" ? "orphaned" : host.keeper;
    say("agent dies", false, withDestination(world, at, { ...ASLEEP, keeper: orphaned }));
  }
  const off = withDestination(world, at, {
    ...ASLEEP,
    qemu: host.qemu === "none" ? "none" : "dead",
    keeper: "none",
  });
  if (setting.powerFails) {
    say("host loses its power", false, withDestination(off, at, { synced: host.disk }));
    if (host.disk !== host.synced) {
      say(
        "host loses its power and what was not synced",
        false,
        withDestination(off, at, { disk: host.synced }),
      );
    }
  }
  if (setting.disksFail) {
    const lost = { disk: undefined, synced: undefined, qemu: "none" } as const;
    say("host loses its disk", false, withDestination(off, at, lost));
  }
}

/** A QEMU without a record is swept: nobody was ever told of it. */
export function lawOfSweep({ host }: Here): string | undefined {
  return host.disk === undefined ? lawOfKill(host) : undefined;
}

/** The agent reads its record. If QEMU is dead that is all it hears; else it is `restarted`. */
export function comesBack({ world, at, host, protocol }: Here): World {
  if (host.disk === undefined) {
    return withDestination(world, at, { agent: true, qemu: "none", keeper: "none" });
  }
  const up = withDestination(world, at, { agent: true, phase: host.disk });
  if (destinationSettled(host.disk)) return up;
  return destinationHears(up, protocol, at, qemuAlive(host) ? "restarted" : "qemuGone");
}
