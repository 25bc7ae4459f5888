/* How a destination's host fails, and how its agent comes back. */
import { destinationSettled, verdictOf } from "@ferry/protocol";
import { lawOfKill } from "./destination-acts.js";
import { destinationAt, destinationHears, tell, withDestination } from "./hearing.js";
import type { Here } from "./here.js";
import { type DestinationHost, qemuAlive } from "./world.js";

const ASLEEP: Partial<DestinationHost> = {
  agent: false,
  phase: "empty",
  tether: "none",
  queue: [],
  answer: "none",
  owed: "nothing",
};

/** The agent is dead, and a keeper that guards its QEMU will see so. */
export function destinationAsleep({ keeper }: DestinationHost): Partial<DestinationHost> {
  return { ...ASLEEP, keeper: keeper === "armed" ? "orphaned" : keeper };
}

export function destinationFaults({ world, at, host, say, setting }: Here): void {
  if (setting.agentsDie && host.agent) {
    say("agent dies", false, withDestination(world, at, destinationAsleep(host)));
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
function lawOfSweep({ host }: Here): string | undefined {
  return host.disk === undefined ? lawOfKill(host) : undefined;
}

/** The agent reads its record. If QEMU is dead that is all it hears; else it is `restarted`. */
export function comesBack(here: Here): void {
  const { world, at, host, protocol, setting, say } = here;
  if (host.disk === undefined) {
    const swept = withDestination(world, at, { agent: true, qemu: "none", keeper: "none" });
    say("agent comes back", true, swept, lawOfSweep(here));
    return;
  }
  const verdict = verdictOf(host.disk);
  const up = withDestination(world, at, {
    agent: true,
    phase: host.disk,
    ...(protocol.syncsWhatItReads ? { synced: host.disk } : {}),
    ...(verdict === "pending" ? {} : { told: tell(host, verdict) }),
  });
  if (destinationSettled(host.disk)) {
    say("agent comes back", true, up);
    return;
  }
  const heard = qemuAlive(host) ? "restarted" : "qemuGone";
  const next = destinationHears(up, protocol, at, heard);
  say("agent comes back", true, next);
  const written = protocol.destinationDurability[destinationAt(next, at).phase] !== "none";
  if (!setting.disksRefuse || !written) return;
  const owing = withDestination(up, at, { owed: heard });
  say("agent comes back, and the disk does not write", false, owing);
}
