/* One migration that something is done to: set up, brought to its instant, brought to its end. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pass, setImmediate as turn } from "node:timers/promises";
import type { Transport } from "@ferry/client";
import { tickerSpec } from "../harness/guests.js";
import { processHolding, type SeenProcess, signal } from "../harness/processes.js";
import { type Ending, endingOf, viewOf, wordsOfView } from "./ending.js";
import type { Fault, Scene } from "./fault.js";
import { FAULTS, newMigrationId } from "./faults.js";
import type { FromAgent } from "./hooks.js";
import { INSTANTS, type Instant } from "./instants.js";
import { type Judgement, judge, type Testimony } from "./judge.js";
import { ALL_PORTS, ROLES, type Stage, type StageHost } from "./stage.js";
import { until } from "./until.js";
import { pumpsOf } from "./victims.js";
import { type SeenQemu, Witness } from "./witness.js";

/** How long a fault that lasts goes on: longer than the agents take to notice, in milliseconds. */
const FAULT_MS = 1_500;
/** A row that has not ended after this time, in milliseconds, will not: a copy takes half of that where many use the machine. */
const ENDING_BOUND_MS = 60_000;
/** So slow that the first pass over the memory has a middle. */
const SLOW_BYTES_PER_SECOND = 2 * 1024 * 1024;
const UNLIMITED = 2 ** 40;

/** How the error begins that says that the instant never came. */
export const ENDED_BEFORE = "it ended before";

export interface GuestShape {
  readonly ram: number;
  readonly dirty: number;
  readonly transport: Transport;
}

const SHAPE: GuestShape = { ram: 8, dirty: 8, transport: "direct" };
let rows = 0;

/** What most rows move, on the route that the fault needs. */
export function shapeFor({ transport = SHAPE.transport }: Fault): GuestShape {
  return { ...SHAPE, transport };
}

/** Starts a guest and the controller that is to move it; the agents stand still where `instant` says. */
export async function open(
  stage: Stage,
  instant: Instant,
  shape = SHAPE,
  back = false,
  faults: readonly Fault[] = [],
): Promise<Scene> {
  const [one, two] = stage.hosts;
  const [from, to] = back ? [two, one] : [one, two];
  rows += 1;
  const guestId = `guest-${rows}`;
  const { ram, dirty, transport } = shape;
  const witness = new Witness(
    stage.hosts.map(({ place, runDir }) => ({ name: place.name, runDir })),
  );
  try {
    await from.client.guests.start(tickerSpec(guestId, { ram, dirty, check: 256 }));
    await until("the judge to see the guest tick", () => {
      const seen = witness.on(from.place.name);
      return seen?.runsNow === true && seen.consoles.homes > 0 && seen.consoles.read().ticks > 3;
    });
  } catch (error) {
    witness.close(); // or it would see the next row's QEMUs first, each of which has one monitor for a judge
    throw error;
  }
  const controller = stage.controller();
  const migrationId = newMigrationId();
  const scene = { stage, from, to, guestId, migrationId, controller, witness };
  for (const fault of faults) await fault.ready?.(scene);
  const plan = INSTANTS[instant];
  for (const host of stage.hosts) {
    for (const role of ROLES) host.agents[role]?.said.splice(0);
  }
  if (plan.hold !== undefined)
    holder(scene, plan.hold.role)?.tell({ kind: "hold", point: plan.hold.point });
  controller.tell({
    from: from.address,
    to: to.address,
    guestId,
    migrationId,
    transport,
    bandwidthBytesPerSecond: plan.slowly ? SLOW_BYTES_PER_SECOND : 0,
    waits: plan.controllerWaits === true,
  });
  return scene;
}

/** Waits until the migration stands exactly there. */
export async function reach(scene: Scene, instant: Instant): Promise<void> {
  const { controller, witness, from, to } = scene;
  const plan = INSTANTS[instant];
  const source = witness.on(from.place.name);
  await until(`the instant: ${plan.words}`, async () => {
    const refused = controller.said.find((word) => word.kind !== "waits");
    if (refused !== undefined) throw new Error(`${ENDED_BEFORE}: ${JSON.stringify(refused)}`);
    if (plan.controllerWaits) return controller.said.some(({ kind }) => kind === "waits");
    if (plan.hold !== undefined) {
      return holder(scene, plan.hold.role)?.said.some(({ kind }) => kind === "held");
    }
    return (await sentBytes(source)) > 0;
  });
  await until("the judge to see both", () => {
    const there = witness.on(to.place.name);
    return there !== undefined && (there.monitor !== undefined || instant === "starting");
  });
  if (!plan.frozenDestination) return;
  signal(witness.on(to.place.name)?.pids().qemu ?? 0, "SIGSTOP");
  release(scene, instant);
  await until("device state to be sent", () => source?.saw("device"));
}

/** Whoever stood still for the instant goes on. */
export function release(scene: Scene, instant: Instant): void {
  for (const agent of heard(scene)) agent.tell({ kind: "release" });
  if (INSTANTS[instant].controllerWaits) scene.controller.tell("go");
  if (INSTANTS[instant].slowly) hurry(scene);
}

/** The network is fast again. */
function hurry({ witness, from }: Scene): void {
  witness
    .on(from.place.name)
    ?.monitor?.execute("migrate-set-parameters", { "max-bandwidth": UNLIMITED })
    .catch(() => {}); // it died, or is frozen: then nothing is to be hurried
}

/** Breaks it, lets what stood still go on, and mends it, and what was broken before. Answers when. */
export async function breakAndMend(
  scene: Scene,
  instant: Instant,
  fault: Fault,
  endings: readonly Ending[],
  others: readonly Fault[] = [],
): Promise<number> {
  const { stage, to, from, witness } = scene;
  const { frozenDestination } = INSTANTS[instant];
  const toSource = endings.length === 1 && endings[0] === "source";
  await fault.inject(scene);
  // Where the fault must kill what was prepared, nobody goes on before it did. A keeper that is freed
  // kills nobody: then it is the next agent's first act.
  const kills = fault.cuts && toSource && instant !== "keeperFreed";
  if (kills) {
    await until("the prepared guest to be killed", () => stage.guestsProcesses(to).length === 0);
  }
  if (frozenDestination && fault !== FAULTS.freezeDestinationQemu) {
    signal(witness.on(to.place.name)?.pids().qemu ?? 0, "SIGCONT");
  }
  release(scene, instant);
  if (fault.lasts && !kills) await lastLongEnough();
  const mendedAt = performance.now();
  // The last one first: an agent that was frozen while it ended cannot end before it is thawed.
  for (const each of [fault, ...others.toReversed()]) await each.mend(scene);
  // What its QEMU has said by now is read first: a word to one that is dead ends the monitor, and all
  // that was not read is lost, such as that it had stopped its guest.
  await turn();
  if (INSTANTS[instant].slowly) hurry(scene);
  await stage.ready();
  return mendedAt;

  /** Until it had its effect; where none can be seen, longer than it takes to notice. */
  async function lastLongEnough(): Promise<void> {
    const agents = fault.refuses === "source" ? from.agents : to.agents;
    if (fault.refuses !== undefined && toSource) {
      const refused = () => ROLES.some((role) => agents[role]?.said.some(isRefusal));
      await until("the disk to refuse something", refused);
    } else if (toSource && (instant === "preSwitchover" || instant === "deviceState")) {
      await until("the source to take its guest back", () => witness.on(from.place.name)?.runsNow);
    } else await pass(FAULT_MS);
  }
}

const isRefusal = ({ kind }: FromAgent) => kind === "refused";

export interface End {
  readonly ending: Ending;
  readonly judgement: Judgement;
  readonly troubles: readonly string[];
  /** When nothing was left to happen, on this process's clock, in milliseconds. */
  readonly endedAt: number;
}

/** Where it runs then, if it does. */
function homeOf({ from, to }: Scene, ending: Ending | undefined): StageHost | undefined {
  return ending === "source" ? from : ending === "destination" ? to : undefined;
}

/** Waits for the end, and judges the way there. */
export async function close(scene: Scene): Promise<End> {
  const { stage, from, to, guestId, migrationId, controller, witness } = scene;
  let words = "no agent answered";
  const ending = await until(
    "nothing more to happen",
    async () => {
      const view = await viewOf(from, to, guestId, migrationId);
      if (view !== undefined) words = wordsOfView(view);
      const ends = view === undefined ? undefined : endingOf(view);
      const at = homeOf(scene, ends);
      // Its QEMU is gone, and the agent has yet to notice.
      return at !== undefined && witness.on(at.place.name)?.gone ? undefined : ends;
    },
    ENDING_BOUND_MS,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)} (${words})`);
  });
  const endedAt = performance.now();
  const troubles: string[] = [];
  const home = homeOf(scene, ending);
  if (home !== undefined) {
    const seen = witness.on(home.place.name);
    const start = testimonies(witness);
    const rounds = judge(start).reading?.rounds ?? 0;
    await until("the guest to check all of its memory at home", () => {
      const { broken, reading } = judge(testimonies(witness));
      return broken.length > 0 || (reading !== undefined && reading.rounds >= rounds + 2);
    });
    if (seen?.runsNow !== true) troubles.push(`it does not run on ${home.place.name}`);
    const running = witness.seen.filter(({ runsNow }) => runsNow).length;
    if (running !== 1) troubles.push(`${running} copies run in the end`);
  } else if (witness.seen.some(({ runsNow }) => runsNow)) troubles.push("a copy runs in the end");
  for (const seen of witness.seen) {
    if (seen.pausedOutsideSwitchover)
      troubles.push(`it was paused on ${seen.hostName} before any switchover`);
  }
  const judgement = judge(testimonies(witness));
  const told = controller.said.find(({ kind }) => kind === "outcome");
  if (told?.kind === "outcome" && told.outcome.verdict !== "pending") {
    const { verdict } = told.outcome;
    if (VERDICTS[ending] !== verdict) troubles.push(`the controller was told ${verdict}`);
  }
  await controller.end();
  if (ending !== "perished") {
    const place = ending === "destination" || ending === "lostAtDestination" ? to : from;
    await place.client.guests.stop(guestId, { graceMs: 0 }).catch((error: unknown) => {
      if (!/no guest/.test(String(error))) troubles.push(`Stop: ${String(error)}`);
    });
    let left: string[] = [];
    await until(
      "nothing to be left",
      () => {
        const pumps = pumpsOf(migrationId, "").map((pump) => `there still is ${wordsOf(pump)}`);
        left = [...leftovers(stage), ...pumps];
        return left.length === 0;
      },
      8_000,
    ).catch(() => troubles.push(...left));
  } else {
    await until("somebody to be told", () => toldLoudly(from, migrationId)).catch(() =>
      troubles.push("nobody was told that it perished"),
    );
  }
  witness.close();
  return { ending, judgement, troubles, endedAt };
}

const VERDICTS: Record<Ending, string> = {
  source: "returned",
  destination: "landed",
  perished: "perished",
  lostAtSource: "returned",
  lostAtDestination: "landed",
};

function testimonies(witness: Witness): Testimony[] {
  return witness.seen.map((seen) => ({
    hostName: seen.hostName,
    running: seen.running,
    console: seen.consoles.text(),
    late: seen.late,
  }));
}

/** What a row may not leave behind: processes, run directories, cgroups, records, ports. */
export function leftovers(stage: Stage): string[] {
  return stage.hosts.flatMap((host) => {
    const { name } = host.place;
    const found = stage.guestsProcesses(host).map(wordsOf);
    for (const entry of readdirSync(host.runDir, { withFileTypes: true })) {
      if (entry.isDirectory()) found.push(`run directory ${entry.name}`);
    }
    for (const group of stage.cgroupsOf(host)) found.push(`cgroup ${group}`);
    for (const kind of ["arrivals", "departures", "guests"]) {
      for (const id of readdirSync(join(host.stateDir, kind))) {
        if (!id.startsWith(".")) found.push(`${kind}/${id}`); // begun and given up: gone at the next start
      }
    }
    for (const { port, inode } of listening(host)) {
      if (!ALL_PORTS.includes(port))
        found.push(`port ${port}, of ${wordsOf(processHolding(inode))}`);
    }
    return found.map((what) => `${name} still has ${what}`);
  });
}

function wordsOf(process: SeenProcess | undefined): string {
  if (process === undefined) return "no process";
  return `process ${process.pid}: ${process.commandLine.slice(0, 100)}`;
}

/** TCP ports that somebody listens on in that host's network, as the kernel has them. */
function listening(host: StageHost): { readonly port: number; readonly inode: string }[] {
  const pid = ROLES.map((role) => host.agents[role]?.pid ?? 0).find((each) => each > 0);
  if (pid === undefined) return [];
  const lines = readFileSync(`/proc/${pid}/net/tcp`, "utf8").trim().split("\n").slice(1);
  return lines.flatMap((line) => {
    const fields = line.trim().split(/\s+/); // proc_pid_net(5): sl, local, remote, st, …, inode
    const [, local = "", , state, , , , , , inode = ""] = fields;
    if (state !== "0A") return [];
    return [{ port: Number.parseInt(local.split(":")[1] ?? "0", 16), inode }];
  });
}

/** The source agent's log has an alarm of the highest level about it. */
function toldLoudly(host: StageHost, migrationId: string): boolean {
  const lines = readFileSync(join(host.dir, "source.log"), "utf8").split("\n");
  return lines.some((line) => line.includes(migrationId) && /"level":("fatal"|60)/.test(line));
}

async function sentBytes(source: SeenQemu | undefined): Promise<number> {
  const answer = (await source?.monitor?.execute("query-migrate").catch(() => undefined)) as
    | { status?: string; ram?: { transferred?: number } }
    | undefined;
  return answer?.status === "active" ? (answer.ram?.transferred ?? 0) : 0;
}

function holder({ from, to }: Scene, role: "source" | "destination") {
  return role === "source" ? from.agents.source : to.agents.destination;
}

function heard({ from, to }: Scene) {
  return [from.agents.source, to.agents.destination].flatMap((agent) => agent ?? []);
}
