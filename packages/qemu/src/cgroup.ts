/*
 * A guest must be born in cgroups of its own. Memory is charged where it is first touched, and
 * whoever ends the agent's container kills every process that is still in the container's cgroups,
 * in any hierarchy. So each hierarchy gets one, before QEMU exists; the keeper joins them.
 */
import { access, mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/**
 * Directories under which every guest gets a cgroup of its own, one per hierarchy, e.g.
 * `/sys/fs/cgroup/ferry` (v2) or `/sys/fs/cgroup/memory/ferry`, … (v1). Empty: guests stay in the
 * agent's cgroups and die with its container.
 */
export type CgroupPlacement = readonly string[];

/** v1's cpuset takes no process before these say something; a new cgroup's are empty. */
const CPUSET_FILES = ["cpuset.cpus", "cpuset.mems"] as const;

/** A cgroup whose last process has just ended stays busy for a moment. */
const REMOVE_TRIES_MAX = 50;
const REMOVE_AGAIN_MS = 20;

/** Makes the guest's cgroups and lists them in its run directory, for the keeper and for whoever tidies. */
export async function makeCgroups(placement: CgroupPlacement, runDir: string): Promise<void> {
  const groups = placement.map((parent) => join(parent, basename(runDir)));
  await writeFile(listPath(runDir), groups.map((group) => `${group}\n`).join(""), { mode: 0o600 });
  for (const [index, group] of groups.entries()) {
    const parent = placement[index] ?? "";
    try {
      await mkdir(group, { recursive: true });
      await access(join(group, "cgroup.procs"));
      await inheritCpuset(join(parent, ".."), parent);
      await inheritCpuset(parent, group);
    } catch (cause) {
      await removeCgroups(runDir);
      throw new Error(
        `no cgroup could be made under ${parent}: is it in a mounted cgroup hierarchy, writable from here? (qemu.cgroups in the configuration)`,
        { cause },
      );
    }
  }
}

/**
 * Makes the placement's own directories. The root of a hierarchy belongs to root and is not writable
 * even for root without capabilities, as an agent in a container is: so somebody with more rights
 * does this once after every boot, and the agent only makes guests' cgroups inside.
 */
export async function makePlacement(placement: CgroupPlacement): Promise<void> {
  for (const parent of placement) {
    await mkdir(parent, { recursive: true });
    await inheritCpuset(join(parent, ".."), parent);
  }
}

/** Removes what is left of a dead guest's cgroups. Its keeper may be leaving them at this moment. */
export async function removeCgroups(runDir: string): Promise<void> {
  for (const group of await listCgroups(runDir)) {
    for (let tries = 1; ; tries += 1) {
      try {
        await rmdir(group);
        break;
      } catch (error) {
        const busy = error instanceof Error && "code" in error && error.code === "EBUSY";
        if (!busy || tries === REMOVE_TRIES_MAX) break; // gone, or still somebody's: not ours to force
      }
      await wait(REMOVE_AGAIN_MS);
    }
  }
}

async function listCgroups(runDir: string): Promise<string[]> {
  try {
    return (await readFile(listPath(runDir), "utf8")).split("\n").filter((line) => line !== "");
  } catch {
    return [];
  }
}

function listPath(runDir: string): string {
  return join(runDir, "cgroups");
}

async function inheritCpuset(parent: string, group: string): Promise<void> {
  for (const file of CPUSET_FILES) {
    const own = await read(join(group, file));
    if (own !== "") continue; // not a cpuset hierarchy, or set already
    const inherited = await read(join(parent, file));
    if (inherited) await writeFile(join(group, file), inherited).catch(() => {}); // v2 needs none
  }
}

/** Undefined if there is no such file. */
async function read(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch {
    return undefined;
  }
}
