/* What can break, and how it is mended again. */
import { randomUUID } from "node:crypto";
import type { Place } from "../harness/network.js";
import { signal } from "../harness/processes.js";
import type { Child } from "./child.js";
import type { FromController, ToController } from "./controller-main.js";
import { fill, makeRoom } from "./full-disk.js";
import type { DiskMode } from "./hooks.js";
import { breakLink, type LinkBreak } from "./links.js";
import { ROLES, type Role, type Stage, type StageHost } from "./stage.js";
import { until } from "./until.js";
import type { Witness } from "./witness.js";

/** Between the controller and the source, the controller and the destination, the two hosts. */
export type Link = "controllerSource" | "controllerDestination" | "sourceDestination";
const LINKS: readonly Link[] = ["controllerSource", "controllerDestination", "sourceDestination"];

export type DiskBreak = "full" | Exclude<DiskMode, "good">;

export type FaultId =
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
  | `${DiskBreak}:${Role}`;

/** One row under way. */
export interface Scene {
  readonly stage: Stage;
  readonly from: StageHost;
  readonly to: StageHost;
  readonly guestId: string;
  readonly migrationId: string;
  readonly controller: Child<ToController, FromController>;
  readonly witness: Witness;
}

export interface Fault {
  readonly words: string;
  /** It goes on until it is mended. Otherwise it is over at once, and only what died is started again. */
  readonly lasts: boolean;
  /** It ends the tether or the prepared guest itself, if not at once then when somebody notices. */
  readonly cuts: boolean;
  /** Its effect is that this host's disk refuses something. */
  readonly refuses?: Role;
  inject(scene: Scene): void | Promise<void>;
  mend(scene: Scene): void | Promise<void>;
}

/** A process of ours, or one that runs the guest. */
type Victim =
  | "controller"
  | "sourceAgent"
  | "destinationAgent"
  | "sourceQemu"
  | "destinationQemu"
  | "keeper"
  | "sourceKeeper";

const VICTIMS: Record<Victim, string> = {
  controller: "the controller",
  sourceAgent: "the source agent",
  destinationAgent: "the destination agent",
  sourceQemu: "the source QEMU",
  destinationQemu: "the destination QEMU",
  keeper: "the destination QEMU's keeper",
  sourceKeeper: "the source QEMU's keeper",
};

function pidOf(victim: Victim, { from, to, controller, witness }: Scene): number {
  const pid = {
    controller: () => controller.pid,
    sourceAgent: () => from.agents.source?.pid,
    destinationAgent: () => to.agents.destination?.pid,
    sourceQemu: () => witness.on(from.place.name)?.pids().qemu,
    destinationQemu: () => witness.on(to.place.name)?.pids().qemu,
    keeper: () => witness.on(to.place.name)?.pids().keeper,
    sourceKeeper: () => witness.on(from.place.name)?.pids().keeper,
  }[victim]();
  if (pid === undefined || pid === 0)
    throw new Error(`${VICTIMS[victim]} does not run at this instant`);
  return pid;
}

/** Whose death does not hurt what was prepared. */
const SOURCES: ReadonlySet<Victim> = new Set(["sourceAgent", "sourceQemu", "sourceKeeper"]);

function kill(victim: Victim): Fault {
  return {
    words: `SIGKILL to ${VICTIMS[victim]}`,
    lasts: false,
    cuts: !SOURCES.has(victim),
    inject: (scene) => signal(pidOf(victim, scene), "SIGKILL"),
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
    inject: (scene) => {
      pid = pidOf(victim, scene);
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

const hostOf = (role: Role, { from, to }: Scene) => (role === "source" ? from : to);

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

function each<Key extends string>(keys: readonly Key[], fault: (key: Key) => Fault) {
  return Object.fromEntries(keys.map((key) => [key, fault(key)])) as Record<Key, Fault>; // every key
}

const pairs = <A extends string, B extends string>(as: readonly A[], bs: readonly B[]) =>
  as.flatMap((a) => bs.map((b) => `${a}:${b}` as const));
const split = (id: string) => id.split(":");

export const FAULTS: { readonly [F in FaultId]: Fault } = {
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
};

export const FAULT_IDS = Object.keys(FAULTS) as FaultId[]; // keys of a literal

export const newMigrationId = () => randomUUID();
