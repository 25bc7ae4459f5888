/*
 * QEMUs that nobody owns: their agent and their keeper were both killed before any record named them.
 * They are paused and were never told to run; an agent sweeps them when it starts.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type ProcessIdentity, stateOf } from "./identity.js";
import { Kept } from "./keeper.js";
import { type Processes, readProcesses } from "./processes.js";
import { removeRunDirectory } from "./run-directory.js";

export interface Stray {
  readonly runDir: string;
  readonly qemu: ProcessIdentity;
}

/**
 * Kills every QEMU under `root` whose keeper is gone and whose run directory `isKnown` does not know;
 * answers whom. One with a living keeper is left alone: its agent lives, or its keeper is killing it.
 * `isKnown` must look at the records on disk when it is asked, since other agents write them.
 */
export async function sweepStrays(
  root: string,
  isKnown: (runDir: string) => Promise<boolean>,
): Promise<Stray[]> {
  const strays: Stray[] = [];
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const runDir = join(root, entry.name);
    const processes = await readProcesses(runDir);
    if (processes === undefined || !isStray(processes) || (await isKnown(runDir))) continue;
    const keeper = new Kept({ runDir, ...processes });
    await keeper.kill();
    await removeRunDirectory(runDir);
    strays.push({ runDir, qemu: processes.qemu });
  }
  return strays;
}

function isStray({ keeper, qemu }: Processes): boolean {
  return stateOf(qemu) === "lives" && stateOf(keeper) !== "lives";
}
