/* What can break, and how it is mended again. */
import { randomUUID } from "node:crypto";
import { LINKS, type Link, link } from "./cables.js";
import { CLOCK_STEPS, type ClockStep, clock } from "./clocks.js";
import { noDescriptors } from "./descriptors.js";
import { type DiskBreak, disk, full, runOf, STATE } from "./disks.js";
import { type Fault, hostOf } from "./fault.js";
import { FLOOD_KINDS, type FloodKind, flood } from "./flood.js";
import { each, pairs } from "./keys.js";
import { breakLink, type LinkBreak } from "./links.js";
import { monitorGone, monitorLost } from "./monitors.js";
import { ROLES, type Role } from "./stage.js";
import { freeze, kill, term } from "./victims.js";

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
