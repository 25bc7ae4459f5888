/* What can break, and how it is mended again. */
import { randomUUID } from "node:crypto";
import type { Place } from "../harness/network.js";
import { processesMentioning, signal } from "../harness/processes.js";
import { CLOCK_STEPS, type ClockStep, clock } from "./clocks.js";
import { noDescriptors } from "./descriptors.js";
import { type Fault, hostOf, NothingThere, type Scene } from "./fault.js";
import { FLOOD_KINDS, type FloodKind, flood } from "./flood.js";
import { fill, fillRun, makeRoom } from "./full-disk.js";
import type { DiskMode } from "./hooks.js";
import { each, pairs } from "./keys.js";
import { breakLink, type LinkBreak } from "./links.js";
import { monitorGone, monitorLost } from "./monitors.js";
import { ROLES, type Role, type StageHost } from "./stage.js";
import { until } from "./until.js";

/** Between the controller and the source, the controller and the destination, the two hosts. */
export type Link = "controllerSource" | "controllerDestination" | "sourceDestination";
const LINKS: readonly Link[] = ["controllerSource", "controllerDestination", "sourceDestination"];

export type DiskBreak = "full" | Exclude<DiskMode, "good">;

/** What breaks one by one is broken once more while the memory goes through a tunnel. */
export const IN_TUNNELS = [
  "killController",
  "killSourceAgent",
  "freezeSourceAgent",
  "termSourceAgent",
  "killDestinationAgent",
  "freezeDestinationAgent",
  "termDestinationAgent",
  "drop:sourceDestination",
  "reset:sourceDestination",
  "bytes:sourceDestination",
] as const;

type Once =
  | "killController"
  | "freezeController"
  | "killSourceAgent"
  | "freezeSourceAgent"
  | "termSourceAgent"
  | "killDestinationAgent"
  | "freezeDestinationAgent"
  | "termDestinationAgent"
  | "killSourceQemu"
  | "freezeSourceQemu"
  | "killDestinationQemu"
  | "freezeDestinationQemu"
  | "killKeeper"
  | "freezeKeeper"
  | "killSourceKeeper"
  | "freezeSourceKeeper"
  | `${LinkBreak}:${Link}`
  | "rebootSource"
  | "rebootDestination"
  | `${DiskBreak}:${Role}`
  | "full:both"
  | `runFull:${Role | "both"}`
  | "killSourcePump"
  | "freezeSourcePump"
  | "killDestinationPump"
  | "freezeDestinationPump"
  | `noDescriptors:${Role}`
  | `monitorLost:${Role}`
  | `monitorGone:${Role}`
  | `flood:${FloodKind}:${Role}`
  | `clock:${ClockStep}:${Role}`;

export type FaultId = Once | `tunnel:${(typeof IN_TUNNELS)[number]}`;

/** A process of ours, or one that runs the guest. */
type Victim =
  | "controller"
  | "sourceAgent"
  | "destinationAgent"
  | "sourceQemu"
  | "destinationQemu"
  | "keeper"
  | "sourceKeeper"
  | "sourcePump"
  | "destinationPump";

/** How long a pump may take to be there, in milliseconds. */
const PUMP_MS = 2_000;

const VICTIMS: Record<Victim, string> = {
  controller: "the controller",
  sourceAgent: "the source agent",
  destinationAgent: "the destination agent",
  sourceQemu: "the source QEMU",
  destinationQemu: "the destination QEMU",
  keeper: "the destination QEMU's keeper",
  sourceKeeper: "the source QEMU's keeper",
  sourcePump: "the source's pump",
  destinationPump: "the destination's pump",
};

/** The pumps of a migration: which one is which stands in their command line. */
export function pumpsOf(migrationId: string, end: "dial" | "accept" | "") {
  return processesMentioning(`${end} ${migrationId}`).filter((each) =>
    each.commandLine.includes("pump.js"),
  );
}

/** Throws NothingThere. */
async function pidOf(victim: Victim, scene: Scene): Promise<number> {
  const { from, to, controller, witness, migrationId } = scene;
  const pids = {
    controller: () => controller.pid,
    sourceAgent: () => from.agents.source?.pid,
    destinationAgent: () => to.agents.destination?.pid,
    sourceQemu: () => witness.on(from.place.name)?.pids().qemu,
    destinationQemu: () => witness.on(to.place.name)?.pids().qemu,
    keeper: () => witness.on(to.place.name)?.pids().keeper,
    sourceKeeper: () => witness.on(from.place.name)?.pids().keeper,
    sourcePump: () => pumpPid(migrationId, "dial"),
    destinationPump: () => pumpPid(migrationId, "accept"),
  };
  const pid = await pids[victim]();
  if (pid === undefined || pid === 0) throw new NothingThere(VICTIMS[victim]);
  return pid;
}

/** It is started while the agents go on: so it may be about to be. */
async function pumpPid(migrationId: string, end: "dial" | "accept"): Promise<number | undefined> {
  const there = () => pumpsOf(migrationId, end)[0]?.pid;
  return until("the pump to be there", there, PUMP_MS).catch(() => undefined);
}

/** Whose death does not hurt what was prepared. */
const SOURCES: ReadonlySet<Victim> = new Set([
  "sourceAgent",
  "sourceQemu",
  "sourceKeeper",
  "sourcePump",
  "destinationPump",
]);

const PUMPS: ReadonlySet<Victim> = new Set(["sourcePump", "destinationPump"]);
/** There is a pump only where the memory goes through a tunnel. */
const transportFor = (victim: Victim) =>
  PUMPS.has(victim) ? { transport: "tunnel" as const } : {};

function kill(victim: Victim): Fault {
  return {
    words: `SIGKILL to ${VICTIMS[victim]}`,
    lasts: false,
    cuts: !SOURCES.has(victim),
    ...transportFor(victim),
    inject: async (scene) => signal(await pidOf(victim, scene), "SIGKILL"),
    mend: async ({ from, to }) => {
      if (victim === "sourceAgent") await from.agents.source?.exited;
      if (victim === "destinationAgent") await to.agents.destination?.exited;
    },
  };
}

function freeze(victim: Victim): Fault {
  let pid = 0;
  return {
    words: `SIGSTOP, later SIGCONT, to ${VICTIMS[victim]}`,
    lasts: true,
    cuts: victim === "controller",
    ...transportFor(victim),
    inject: async (scene) => {
      pid = await pidOf(victim, scene);
      signal(pid, "SIGSTOP");
    },
    mend: () => signal(pid, "SIGCONT"),
  };
}

function term(role: Role): Fault {
  const agent = ({ from, to }: Scene) => (role === "source" ? from : to).agents[role];
  return {
    words: `SIGTERM to the ${role} agent`,
    lasts: false,
    cuts: role === "destination",
    inject: (scene) => agent(scene)?.signal("SIGTERM"),
    mend: async (scene) => {
      await until("the agent to end in order", () => agent(scene)?.alive === false);
    },
  };
}

const LINK_WORDS: Record<Link, string> = {
  controllerSource: "controller and source",
  controllerDestination: "controller and destination",
  sourceDestination: "source and destination",
};

const BREAKS: Record<LinkBreak, string> = {
  drop: "nothing passes between",
  reset: "every connection is reset between",
  mute: "only the second is heard between",
  deaf: "only the first is heard between",
  bytes: "after 1,000 more bytes nothing passes between",
};

function link(how: LinkBreak, which: Link): Fault {
  return {
    words: `${BREAKS[how]} ${LINK_WORDS[which]}`,
    lasts: true,
    cuts: which === "controllerDestination",
    inject: ({ stage, from, to }) => {
      const ends: Record<Link, [Place, Place]> = {
        controllerSource: [stage.controllerPlace, from.place],
        controllerDestination: [stage.controllerPlace, to.place],
        sourceDestination: [from.place, to.place],
      };
      breakLink(stage.network, ...ends[which], how);
    },
    mend: ({ stage }) => stage.healLinks(),
  };
}

function reboot(role: Role): Fault {
  return {
    words: `the ${role} host loses its power and boots again; what was not synced is lost`,
    lasts: false,
    cuts: role === "destination",
    inject: async (scene) => {
      const { stage, from, to } = scene;
      const host = hostOf(role, scene);
      // A host without power says no goodbye.
      breakLink(stage.network, host.place, role === "source" ? to.place : from.place, "drop");
      breakLink(stage.network, host.place, stage.controllerPlace, "drop");
      await stage.losePower(host);
    },
    mend: ({ stage }) => stage.healLinks(),
  };
}

function disk(how: DiskBreak, role: Role): Fault {
  const words: Record<DiskBreak, string> = {
    full: "is full",
    readOnly: "is read-only",
    torn: "tears every file that is written, and says so",
    slow: "takes 150 ms for every step",
  };
  const tell = (scene: Scene, mode: DiskMode) => {
    const { agents } = hostOf(role, scene);
    for (const each of ROLES) agents[each]?.tell({ kind: "disk", mode });
  };
  return {
    words: `the ${role} host's state directory ${words[how]}`,
    lasts: true,
    cuts: false,
    ...(how === "slow" ? {} : { refuses: role }),
    inject: (scene) => {
      if (how === "full") fill(hostOf(role, scene).stateDir);
      else tell(scene, how);
    },
    mend: (scene) => {
      if (how === "full") makeRoom(hostOf(role, scene).stateDir);
      else tell(scene, "good");
    },
  };
}

/** Disks that are filled, at one host or at both. */
function full(
  which: Role | "both",
  { what, ...how }: { what: string; fill(host: StageHost): void; makeRoom(host: StageHost): void },
): Fault {
  const hosts = (scene: Scene) =>
    which === "both" ? [scene.from, scene.to] : [hostOf(which, scene)];
  return {
    words:
      which === "both" ? `both hosts' ${what} are full` : `the ${which} host's ${what} is full`,
    lasts: true,
    cuts: false,
    inject: (scene) => hosts(scene).forEach(how.fill),
    mend: (scene) => hosts(scene).forEach(how.makeRoom),
  };
}

const STATE = {
  what: "state directories",
  fill: ({ stateDir }: StageHost) => fill(stateDir),
  makeRoom: ({ stateDir }: StageHost) => makeRoom(stateDir),
};
const runOf = (which: Role | "both") => ({
  what: which === "both" ? "run directories" : "run directory",
  fill: ({ runDir }: StageHost) => fillRun(runDir),
  makeRoom: ({ runDir }: StageHost) => makeRoom(runDir),
});

/** The same, while the memory goes through a tunnel. */
function inTunnel(fault: Fault): Fault {
  return { ...fault, words: `${fault.words}, in a tunnel`, transport: "tunnel" };
}

const split = (id: string) => id.split(":");

const ONCE: { readonly [F in Once]: Fault } = {
  killController: kill("controller"),
  freezeController: freeze("controller"),
  killSourceAgent: kill("sourceAgent"),
  freezeSourceAgent: freeze("sourceAgent"),
  termSourceAgent: term("source"),
  killDestinationAgent: kill("destinationAgent"),
  freezeDestinationAgent: freeze("destinationAgent"),
  termDestinationAgent: term("destination"),
  killSourceQemu: kill("sourceQemu"),
  freezeSourceQemu: freeze("sourceQemu"),
  killDestinationQemu: kill("destinationQemu"),
  freezeDestinationQemu: freeze("destinationQemu"),
  killKeeper: kill("keeper"),
  freezeKeeper: freeze("keeper"),
  killSourceKeeper: kill("sourceKeeper"),
  freezeSourceKeeper: freeze("sourceKeeper"),
  ...each(pairs(["drop", "reset", "mute", "deaf", "bytes"], LINKS), (id) => {
    const [how, which] = split(id) as [LinkBreak, Link]; // made of them just above
    return link(how, which);
  }),
  rebootSource: reboot("source"),
  rebootDestination: reboot("destination"),
  ...each(pairs(["full", "readOnly", "torn", "slow"], ROLES), (id) => {
    const [how, role] = split(id) as [DiskBreak, Role]; // made of them just above
    return disk(how, role);
  }),
  "full:both": full("both", STATE),
  "runFull:source": full("source", runOf("source")),
  "runFull:destination": full("destination", runOf("destination")),
  "runFull:both": full("both", runOf("both")),
  killSourcePump: kill("sourcePump"),
  freezeSourcePump: freeze("sourcePump"),
  killDestinationPump: kill("destinationPump"),
  freezeDestinationPump: freeze("destinationPump"),
  "noDescriptors:source": noDescriptors("source"),
  "noDescriptors:destination": noDescriptors("destination"),
  "monitorLost:source": monitorLost("source"),
  "monitorLost:destination": monitorLost("destination"),
  "monitorGone:source": monitorGone("source"),
  "monitorGone:destination": monitorGone("destination"),
  ...each(pairs(pairs(["flood"], FLOOD_KINDS), ROLES), (id) => {
    const [, kind, role] = split(id) as [string, FloodKind, Role]; // made of them just above
    return flood(kind, role);
  }),
  ...each(pairs(pairs(["clock"], CLOCK_STEPS), ROLES), (id) => {
    const [, step, role] = split(id) as [string, ClockStep, Role]; // made of them just above
    return clock(step, role);
  }),
};

export const FAULTS: { readonly [F in FaultId]: Fault } = {
  ...ONCE,
  ...each(pairs(["tunnel"], IN_TUNNELS), (id) => {
    const once = IN_TUNNELS.find((fault) => id === `tunnel:${fault}`);
    if (once === undefined) throw new Error(`${id} is none of them`);
    return inTunnel(ONCE[once]);
  }),
};

export const FAULT_IDS = Object.keys(FAULTS) as FaultId[]; // keys of a literal
/** For whoever draws the transport, too. */
export const ONCE_IDS = Object.keys(ONCE) as Once[]; // keys of a literal

export const newMigrationId = () => randomUUID();
