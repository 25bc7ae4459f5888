/*
 * Removing what nobody owns. Each of these looks again right before it acts, does nothing it cannot
 * justify then, and answers why it did not; whether anybody owns it is for the caller to know.
 */
import { renameSync, rmdirSync, statSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { connect } from "@ferry/qmp";
import { killByIdentity, type ProcessIdentity, stateOf } from "./identity.js";
import { type Seen, stampOf } from "./orphans.js";
import { qemuLivingIn } from "./run-directory.js";
import { look } from "./vcpu.js";

/** The monitor that no agent uses. */
const MONITOR = "debug.qmp";
const ASK_TIMEOUT_MS = 2_000;
/** QEMU's words (qapi/run-state.json) for a guest whose first instruction is still to come. */
const NEVER_RAN: ReadonlySet<string> = new Set(["prelaunch", "inmigrate"]);
/** A killed QEMU gives its memory back before it is gone, in milliseconds. */
const END_TIMEOUT_MS = 10_000;
/** A cgroup whose last process has just ended stays busy for a moment, in milliseconds. */
const CGROUP_TIMEOUT_MS = 1_000;
const LOOK_AGAIN_MS = 5;
/** A directory that is being removed; it begins with a dot, so that it is nobody's run directory. */
const SWEPT = ".swept.";

/** Whether its guest ever ran, as QEMU says; undefined if QEMU does not say. */
export async function everRan(runDir: string): Promise<boolean | undefined> {
  try {
    const qmp = await connect(join(runDir, MONITOR), { timeoutMs: ASK_TIMEOUT_MS });
    try {
      return !NEVER_RAN.has((await look(qmp)).status);
    } finally {
      qmp.close();
    }
  } catch {
    return undefined;
  }
}

/** SIGKILL to that very process, and until it is gone. Answers "" or why it still lives. */
export async function endOrphan(qemu: ProcessIdentity): Promise<string> {
  const deadline = performance.now() + END_TIMEOUT_MS;
  killByIdentity(qemu); // looks at pid, start time and boot right before the signal
  while (stateOf(qemu) === "lives") {
    if (performance.now() > deadline) return `it did not end within ${END_TIMEOUT_MS} ms`;
    await wait(LOOK_AGAIN_MS);
  }
  return "";
}

/**
 * Removes that very run directory, with its cgroups. It is renamed first, at once after a look: a
 * guest that is started under the same name meanwhile gets a new directory, and keeps it. Answers ""
 * or why it is still there.
 */
export async function removeOrphanDirectory(seen: Seen): Promise<string> {
  const qemu = await qemuLivingIn(seen.path);
  if (qemu !== undefined) return `${qemu} lives in it`;
  const cgroups = await cgroupsOf(seen.path);
  const aside = join(dirname(seen.path), `${SWEPT}${seen.stamp}`);
  if (!isSame(seen.path, seen)) return ""; // gone already, or another one by now
  renameSync(seen.path, aside);
  if (!isSame(aside, seen)) {
    renameSync(aside, seen.path); // replaced between those two lines: put back at once
    return "";
  }
  for (const cgroup of cgroups) await removeOrphanCgroup(cgroup, seen.path);
  await rm(aside, { recursive: true, force: true });
  return "";
}

/** Finishes what an agent did not live to finish. */
export async function removeSwept(root: string): Promise<void> {
  const names = await readdir(root).catch(() => []);
  for (const name of names) {
    if (name.startsWith(SWEPT)) await rm(join(root, name), { recursive: true, force: true });
  }
}

/**
 * Removes a guest's cgroup. The kernel refuses while a process is in it; one that has just ended
 * keeps it busy for a moment. Answers "" or why it is still there.
 */
export async function removeOrphanCgroup(path: string, runDir: string): Promise<string> {
  const deadline = performance.now() + CGROUP_TIMEOUT_MS;
  for (;;) {
    // A guest that is being launched has its directory before its cgroup.
    if (exists(runDir)) return "a guest of that name is being launched";
    try {
      rmdirSync(path);
      return "";
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "ENOENT") return "";
      if (code !== "EBUSY" || performance.now() > deadline) {
        return error instanceof Error ? error.message : String(error);
      }
    }
    await wait(LOOK_AGAIN_MS);
  }
}

/** The cgroups that were made for the guest of a run directory, and no others. */
async function cgroupsOf(runDir: string): Promise<string[]> {
  const list = await readFile(join(runDir, "cgroups"), "utf8").catch(() => "");
  return list.split("\n").filter((path) => basename(path) === basename(runDir));
}

function isSame(path: string, { stamp }: Seen): boolean {
  const found = statSync(path, { throwIfNoEntry: false, bigint: true });
  return found !== undefined && stampOf(found) === stamp;
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
