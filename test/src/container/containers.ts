/*
 * Containers as a node of Kubernetes runs Ferry's (deploy/kubernetes/base): no capability, nothing to
 * gain by exec, a read-only root, the host's processes, and of the host's files the state, the run
 * directory and the cgroups. runc runs them, since no other engine has to be there first.
 *
 * They are ended as containerd and the kubelet end them, which is harder than runc's own way: every
 * process in any of the container's cgroups is killed, again and again until there is none.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AgentRole } from "../harness/agent-process.js";
import { signal } from "../harness/processes.js";
import { until } from "../harness/until.js";
import { type Image, run } from "./image.js";

const HIERARCHIES = "/sys/fs/cgroup";

interface Plan {
  readonly args: readonly string[];
  /** The folder that it has of the host's. */
  readonly shared: string;
  readonly capabilities: readonly string[];
}

export class Containers {
  readonly #parent = `ferry-test-${process.pid}`;
  readonly #mounted: string[] = [];
  #made = 0;

  /** `dir`: for what is told to runc, and nobody else's. */
  constructor(
    readonly dir: string,
    public image: Image,
  ) {}

  /**
   * The command line that runs an agent in a container of its own, in the network of whoever runs it.
   * `shared`: the folder that it has of the host's.
   */
  command(role: AgentRole, configPath: string, shared: string): string[] {
    const args = [`ferry-${role}-agent`, "--config", configPath];
    return this.#make(role, { args, shared, capabilities: [] });
  }

  /** What takes a right that agents do not have, done by a container that has it and then ends. */
  prepareHost(configPath: string, shared: string): void {
    const [program = "", ...args] = this.#make("prepare", {
      args: ["ferry-source-agent", "--prepare-host", "--config", configPath],
      shared,
      capabilities: ["CAP_DAC_OVERRIDE"],
    });
    run(program, args);
  }

  /** Ends every container, or those of one role, with whatever is still in their cgroups. */
  async kill(role?: AgentRole): Promise<void> {
    for (const name of this.#running()) {
      if (role !== undefined && !name.startsWith(`${role}-`)) continue;
      spawnSync("runc", ["--root", this.#root, "kill", "--all", name, "KILL"]);
      await until(`container ${name} to have no process`, () => {
        const left = cgroupsNamed(`${this.#parent}/${name}`).flatMap(processesIn);
        for (const pid of left) signal(pid, "SIGKILL");
        return left.length === 0;
      });
      spawnSync("runc", ["--root", this.#root, "delete", "--force", name]);
    }
    if (role === undefined) this.#unmount();
  }

  /** In this mount namespace: a guest's own keeps its container's root for as long as the guest lives. */
  #unmount(): void {
    for (const rootfs of this.#mounted.splice(0)) {
      run("umount", ["--lazy", rootfs]);
      rmSync(join(rootfs, ".."), { recursive: true, force: true });
    }
  }

  async close(): Promise<void> {
    await this.kill();
    for (const each of cgroupsNamed(this.#parent)) rmdirSync(each);
    for (const each of cgroupsNamed("ferry")) {
      try {
        rmdirSync(each); // what --prepare-host made, unless somebody else has guests there
      } catch {}
    }
  }

  /** The part of a cgroup's name that all of them share. */
  get cgroup(): string {
    return this.#parent;
  }

  #make(kind: string, plan: Plan): string[] {
    this.#made += 1;
    const name = `${kind}-${this.#made}`;
    const bundle = join(this.dir, "containers", name);
    mkdirSync(bundle, { recursive: true });
    const rootfs = this.image.mount(bundle);
    this.#mounted.push(rootfs);
    const config = JSON.stringify(this.#config(name, rootfs, plan), null, 2);
    writeFileSync(join(bundle, "config.json"), config);
    return ["runc", "--root", this.#root, "run", "--bundle", bundle, name];
  }

  get #root(): string {
    return join(this.dir, "runc");
  }

  #running(): string[] {
    try {
      return readdirSync(this.#root);
    } catch {
      return []; // none yet
    }
  }

  #config(name: string, rootfs: string, { args, shared, capabilities }: Plan): unknown {
    const bind = (path: string, ...options: string[]) => ({
      destination: path,
      source: path,
      type: "bind",
      options: ["rbind", "rprivate", ...options],
    });
    return {
      ociVersion: "1.0.2",
      process: {
        user: { uid: 0, gid: 0 },
        args,
        env: ["PATH=/usr/local/bin:/usr/bin:/bin", "NODE_ENV=production"],
        cwd: "/",
        capabilities: {
          bounding: capabilities,
          effective: capabilities,
          permitted: capabilities,
        },
        noNewPrivileges: true,
      },
      root: { path: rootfs, readonly: true },
      mounts: [
        { destination: "/proc", type: "proc", source: "proc" },
        {
          destination: "/dev",
          type: "tmpfs",
          source: "tmpfs",
          options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
        },
        { destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "mode=1777"] },
        { destination: "/tmp", type: "tmpfs", source: "tmp", options: ["nosuid", "mode=1777"] },
        { destination: "/sys", type: "bind", source: "/sys", options: ["rbind", "rprivate", "ro"] },
        bind(HIERARCHIES, "rw"),
        bind(shared, "rw"),
      ],
      linux: {
        cgroupsPath: `/${this.#parent}/${name}`,
        namespaces: [{ type: "mount" }, { type: "ipc" }],
        rootfsPropagation: "rprivate",
      },
    };
  }
}

/** Directories of a cgroup with this name, in every hierarchy; innermost first. */
function cgroupsNamed(name: string): string[] {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => join(line.split(" ")[4] ?? "", name));
  return mounts.filter((path) => {
    try {
      return readdirSync(path).includes("cgroup.procs");
    } catch {
      return false; // this hierarchy has none
    }
  });
}

function processesIn(cgroup: string): number[] {
  try {
    const text = readFileSync(join(cgroup, "cgroup.procs"), "utf8");
    return text.split("\n").filter(Boolean).map(Number);
  } catch {
    return []; // gone meanwhile
  }
}
