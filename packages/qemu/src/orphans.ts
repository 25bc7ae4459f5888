/*
 * What is left on this machine of guests, whether anybody owns it or not: their processes, run
 * directories and cgroups, brought together by the name they share. Nothing is judged here, and
 * nothing is touched; who owns what is written in records, which this package does not know.
 */
import type { BigIntStats } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { CgroupPlacement } from "./cgroup.js";
import { findProcesses, isShortId, type OurKeeper, type OurQemu } from "./orphans-processes.js";

/** A directory that was looked at. */
export interface Seen {
  readonly path: string;
  /** Differs from that of any other directory that takes this name, and after anything was put in it. */
  readonly stamp: string;
  /** Since it was made, or last changed, in milliseconds. */
  readonly ageMs: number;
}

/** All that is left of one guest, or of one arrival. */
export interface Trace {
  /** The last part of its run directory's path. */
  readonly name: string;
  /** Where its run directory is, or was. */
  readonly runDir: string;
  readonly directory: Seen | undefined;
  readonly qemus: readonly OurQemu[];
  readonly keepers: readonly OurKeeper[];
  readonly cgroups: readonly (Seen & { readonly empty: boolean })[];
}

export interface Places {
  /** Under which all run directories are. */
  readonly runDir: string;
  readonly cgroups: CgroupPlacement;
}

export async function findTraces({ runDir, cgroups }: Places): Promise<Trace[]> {
  const root = join(runDir); // without a slash at its end
  const directories = await directoriesIn(root);
  const groups = (await Promise.all(cgroups.map((parent) => directoriesIn(parent)))).flat();
  // Last: whatever lives in a directory that was seen is seen as well.
  const processes = await findProcesses(root);
  const names = new Set(
    [...directories, ...groups, ...processes].map(({ name }: { name: string }) => name),
  );
  return Promise.all(
    [...names].sort().map(async (name) => ({
      name,
      runDir: join(root, name),
      directory: directories.find((each) => each.name === name),
      qemus: processes.filter((each) => each.kind === "qemu" && each.name === name) as OurQemu[],
      keepers: processes.filter(
        (each) => each.kind === "keeper" && each.name === name,
      ) as OurKeeper[],
      cgroups: await Promise.all(
        groups
          .filter((each) => each.name === name)
          .map(async (each) => ({ ...each, empty: await isEmpty(each.path) })),
      ),
    })),
  );
}

/** Directories with the names of guests. Links, and everything else there, are somebody else's. */
async function directoriesIn(parent: string): Promise<(Seen & { readonly name: string })[]> {
  const entries = await readdir(parent, { withFileTypes: true }).catch(() => []);
  const found: (Seen & { readonly name: string })[] = [];
  for (const entry of entries) {
    if (!entry.isDirectory() || !isShortId(entry.name)) continue;
    const seen = await see(join(parent, entry.name));
    if (seen !== undefined) found.push({ name: entry.name, ...seen });
  }
  return found;
}

async function see(path: string): Promise<Seen | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined); // it is gone already
  if (found === undefined) return undefined;
  const changed = [found.mtimeMs, found.ctimeMs, found.birthtimeMs].map(Number);
  return { path, stamp: stampOf(found), ageMs: Date.now() - Math.max(...changed) };
}

/** File systems hand out the number of a directory that was removed at once again: times tell them apart. */
export function stampOf({ dev, ino, birthtimeNs, mtimeNs }: BigIntStats): string {
  return [dev, ino, birthtimeNs, mtimeNs].join(".");
}

async function isEmpty(cgroup: string): Promise<boolean> {
  const text = await readFile(join(cgroup, "cgroup.procs"), "utf8").catch(() => undefined);
  return text === "";
}
