/*
 * Two hosts and a controller's place, each in a network of its own. State and run directories are small
 * disks of their own that can be filled; agents are the real ones in a wrapped world (hooks.ts). The stage
 * outlives a row: that nothing is left of one is what the judge sees to.
 */

import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectHost, getInfo, type Host, type HostAddress } from "@ferry/client";
import { tickerFolder } from "../harness/guests.js";
import { makeNetwork, type Network, type Place } from "../harness/network.js";
import { processesMentioning, signal } from "../harness/processes.js";
import { Child } from "./child.js";
import type { FromController, ToController } from "./controller-main.js";
import { fill, isFull, makeRoom } from "./full-disk.js";
import type { FromAgent, ToAgent } from "./hooks.js";
import { healLinks } from "./links.js";
import { losePower } from "./power.js";
import { until } from "./until.js";

export type Role = "source" | "destination";
export const ROLES: readonly Role[] = ["source", "destination"];
export const PORTS = { source: 7701, destination: 7702 } as const;
const METRICS_PORTS = { source: 9701, destination: 9702 } as const;
export const ALL_PORTS = [7701, 7702, 9701, 9702];
/** A caller that froze or was cut off is noticed within their sum. */
const KEEPALIVE = { time_ms: 250, timeout_ms: 750 };
/** Agents ask QEMU what it can do before they take calls: seconds on a busy machine. */
const START_BOUND_MS = 90_000;
const STATE_DISK = "size=4m,mode=700";
/** With few inodes, so that it can be filled with files, too. */
const RUN_DISK = "size=4m,nr_inodes=500,mode=700";
/** Begins the names of a stage's folder and cgroups; its process's id follows. Short: sockets lie below. */
const PREFIX = "fy-";
const CGROUPS = "/sys/fs/cgroup/pids";

export interface StageHost {
  readonly place: Place;
  readonly dir: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly shadowDir: string;
  /** Where its guests' cgroups lie; undefined where this machine has none to write to. */
  readonly cgroup: string | undefined;
  readonly address: HostAddress;
  readonly agents: Record<Role, Child<ToAgent, FromAgent> | undefined>;
  client: Host;
  bootId: string;
}

/** Whoever was in it may be a zombie yet, which is in it until it is reaped. */
async function removeCgroup(path: string): Promise<void> {
  await until(`${path} to be empty`, () => {
    try {
      rmdirSync(path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EBUSY") return false;
      throw error;
    }
  });
}

export class Stage {
  readonly network: Network;
  readonly dir = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  readonly hosts: readonly [StageHost, StageHost];
  readonly controllerPlace: Place;
  readonly #strangers = new Set<{ end(): Promise<unknown> }>();
  #closing: Promise<void> | undefined;

  constructor() {
    sweep();
    this.network = makeNetwork();
    if (this.network.kind !== "namespaces") throw new Error(this.network.reason);
    this.hosts = [this.#host("host-1"), this.#host("host-2")];
    this.controllerPlace = this.network.add("controller");
  }

  /** All agents run and take calls. */
  async start(): Promise<void> {
    for (const host of this.hosts) for (const role of ROLES) this.startAgent(host, role);
    await this.ready();
  }

  startAgent(host: StageHost, role: Role): void {
    if (this.#closing !== undefined) throw new Error("the stage is closed");
    if (host.agents[role]?.alive === true) return;
    const { bootId, shadowDir, stateDir } = host;
    const dirs = [shadowDir, join(stateDir, ".saved")];
    const args = [role, bootId, ...dirs, "--config", join(host.dir, `${role}.yaml`)];
    host.agents[role] = new Child("./agent-main.js", args, {
      inside: (argv) => this.network.inside(host.place, argv),
      logPath: join(host.dir, `${role}.log`),
    });
  }

  /** Starts whatever agent does not run, and waits until all of them take calls. */
  async ready(): Promise<void> {
    for (const host of this.hosts) {
      const dead = ROLES.filter((role) => host.agents[role]?.alive !== true);
      for (const role of dead) this.startAgent(host, role);
      host.client.close(); // a connection that has learnt to wait is not to be waited for
      host.client = connectHost({ ...host.address, plaintext: true });
    }
    for (const host of this.hosts) {
      for (const role of ROLES) {
        const what = `${host.place.name}'s ${role} agent to take calls`;
        await until(
          what,
          () => {
            if (host.agents[role]?.alive !== true) throw new Error(this.lastWords(host, role));
            const asked = getInfo(host.client[role], { timeoutMs: 2_000 });
            return asked.then(
              () => true,
              () => false,
            );
          },
          START_BOUND_MS,
        );
      }
    }
  }

  lastWords(host: StageHost, role: Role): string {
    const lines = readFileSync(join(host.dir, `${role}.log`), "utf8")
      .trim()
      .split("\n");
    return `${host.place.name}'s ${role} agent ended:\n${lines.slice(-3).join("\n")}`;
  }

  controller(): Child<ToController, FromController> {
    return new Child("./controller-main.js", [], {
      inside: (argv) => this.network.inside(this.controllerPlace, argv),
      logPath: join(this.dir, "controller.log"),
    });
  }

  /** A caller that has nothing to do with the migration: it is ended with the row, if that does not end it. */
  stranger<To extends object | string, From>(
    program: string,
    args: readonly string[],
  ): Child<To, From> {
    const child = new Child<To, From>(program, args, {
      inside: (argv) => this.network.inside(this.controllerPlace, argv),
      logPath: join(this.dir, "stranger.log"),
    });
    this.#strangers.add(child);
    void child.exited.then(() => this.#strangers.delete(child));
    return child;
  }

  healLinks(): void {
    for (const place of [this.hosts[0].place, this.hosts[1].place, this.controllerPlace]) {
      healLinks(this.network, place);
    }
  }

  /** What runs for that host, agents left out. */
  guestsProcesses(host: StageHost) {
    const agents = new Set(ROLES.map((role) => host.agents[role]?.pid));
    return processesMentioning(`${host.dir}/`).filter(({ pid }) => !agents.has(pid));
  }

  /** The host loses its power: all its processes, what was not synced, and all that does not outlive a boot. */
  async losePower(host: StageHost): Promise<number> {
    const agents = ROLES.map((role) => host.agents[role]);
    for (const agent of agents) agent?.signal("SIGKILL");
    for (const { pid } of this.guestsProcesses(host)) signal(pid, "SIGKILL");
    await Promise.all(agents.map((agent) => agent?.exited));
    await until(`${host.place.name} to stand still`, () => {
      const left = this.guestsProcesses(host);
      for (const { pid } of left) signal(pid, "SIGKILL");
      return left.length === 0;
    });
    const full = isFull(host.stateDir);
    makeRoom(host.stateDir); // what was there before had its place on the disk, however full that is
    const lost = losePower(host.shadowDir);
    if (full) fill(host.stateDir);
    for (const name of readdirSync(host.runDir)) {
      rmSync(join(host.runDir, name), { recursive: true, force: true });
    }
    for (const group of this.cgroupsOf(host)) await removeCgroup(group);
    host.bootId = randomUUID();
    return lost;
  }

  cgroupsOf({ cgroup }: StageHost): string[] {
    if (cgroup === undefined) return [];
    return readdirSync(cgroup, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(cgroup, entry.name));
  }

  /** Everything as if it were new: after a row that left a guest to a person, or was lost. */
  async renew(): Promise<void> {
    if (this.#closing !== undefined) throw new Error("the stage is closed");
    this.healLinks();
    await this.#endStrangers();
    for (const host of this.hosts) {
      for (const role of ROLES) host.agents[role]?.signal("SIGCONT");
      await this.losePower(host);
      emptyDisk(host.stateDir);
    }
    await this.start();
  }

  /** Whoever closes it, and however often: a signal does so beside the row that it ends. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.healLinks();
    await this.#endStrangers();
    const closed = await Promise.allSettled(this.hosts.map((host) => this.#closeHost(host)));
    this.network.remove();
    const failed = closed.find((each) => each.status === "rejected");
    if (failed !== undefined) throw failed.reason; // its files stay, to be looked at and swept by the next stage
    rmSync(this.dir, { recursive: true, force: true });
  }

  async #endStrangers(): Promise<void> {
    await Promise.all([...this.#strangers].map((stranger) => stranger.end()));
  }

  async #closeHost(host: StageHost): Promise<void> {
    host.client.close();
    try {
      await this.losePower(host);
      if (host.cgroup !== undefined) await removeCgroup(host.cgroup);
    } finally {
      for (const dir of [host.stateDir, host.runDir]) spawnSync("umount", ["--lazy", dir]);
    }
  }

  #host(name: string): StageHost {
    const place = this.network.add(name);
    const dir = join(this.dir, name.slice(-1));
    const stateDir = join(dir, "state");
    const runDir = join(dir, "run");
    for (const each of [stateDir, runDir]) mkdirSync(each, { recursive: true });
    mount(stateDir, STATE_DISK);
    mount(runDir, RUN_DISK);
    const cgroup = makeCgroup(`${PREFIX}${process.pid}-${name}`);
    for (const role of ROLES) {
      const config = this.#config({ place, role, stateDir, runDir, cgroup });
      writeFileSync(join(dir, `${role}.yaml`), JSON.stringify(config, null, 2));
    }
    const address = {
      source: `${place.address}:${PORTS.source}`,
      destination: `${place.address}:${PORTS.destination}`,
      hostId: name,
    };
    return {
      place,
      dir,
      stateDir,
      runDir,
      shadowDir: join(dir, "shadow"),
      cgroup,
      address,
      agents: { source: undefined, destination: undefined },
      client: connectHost({ ...address, plaintext: true }),
      bootId: randomUUID(),
    };
  }

  #config(host: {
    place: Place;
    role: Role;
    stateDir: string;
    runDir: string;
    cgroup: string | undefined;
  }) {
    const { place, role, stateDir, runDir, cgroup } = host;
    return {
      host_id: place.name,
      listen: `${place.address}:${PORTS[role]}`,
      advertise: `${place.address}:${PORTS[role]}`,
      health_listen: "off",
      metrics_listen: `${place.address}:${METRICS_PORTS[role]}`,
      state_dir: stateDir,
      run_dir: runDir,
      plaintext: true,
      qemu: {
        accelerator: "tcg",
        allowed_paths: [this.dir, tickerFolder],
        cgroups: cgroup === undefined ? [] : [cgroup],
      },
      migration: { listen_host: place.address, advertise_host: place.address, allow_plain: true },
      keepalive: KEEPALIVE,
      limits: { memory_reserve_bytes: 0 },
      timeouts: { lease_ms: 10_000, stall_ms: 4_000, drain_ms: 1_000 },
    };
  }
}

/** Ends what a stage whose process was killed has left: its guests, disks, cgroups and files. */
function sweep(): void {
  for (const name of readdirSync(tmpdir())) {
    if (!isDead(name)) continue;
    const dir = join(tmpdir(), name);
    for (const { pid } of processesMentioning(`${dir}/`)) signal(pid, "SIGKILL");
    for (const host of ["1", "2"]) {
      for (const disk of ["state", "run"]) spawnSync("umount", ["--lazy", join(dir, host, disk)]);
    }
    rmSync(dir, { recursive: true, force: true });
  }
  if (!existsSync(CGROUPS)) return;
  for (const name of readdirSync(CGROUPS).filter(isDead)) {
    const path = join(CGROUPS, name);
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) spawnSync("rmdir", [join(path, entry.name)]);
    }
    spawnSync("rmdir", [path]); // one whose last process is still ending is the next stage's to sweep
  }
}

/** It carries the id of a process that is gone. */
function isDead(name: string): boolean {
  const [, digits] = new RegExp(`^${PREFIX}([0-9]+)-`).exec(name) ?? [];
  return digits !== undefined && !existsSync(`/proc/${digits}`);
}

function mount(dir: string, options: string): void {
  const done = spawnSync("mount", ["-t", "tmpfs", "-o", options, "ferry-faults", dir]);
  if (done.status !== 0) throw new Error(`mount: ${String(done.stderr)}`);
}

function emptyDisk(dir: string): void {
  for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true, force: true });
}

function makeCgroup(name: string): string | undefined {
  const path = join(CGROUPS, name);
  try {
    mkdirSync(path);
    return path;
  } catch {
    return undefined; // this machine's are elsewhere, or read-only
  }
}
