/* Processes of ours, and those that run the guest: killed, frozen, told to end. */
import { processesMentioning, signal } from "../harness/processes.js";
import { type Fault, hostOf, NothingThere, type Scene } from "./fault.js";
import type { Role } from "./stage.js";
import { until } from "./until.js";

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

export function kill(victim: Victim): Fault {
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

export function freeze(victim: Victim): Fault {
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

export function term(role: Role): Fault {
  const agent = (scene: Scene) => hostOf(role, scene).agents[role];
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
