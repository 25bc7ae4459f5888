/*
 * A guest's run directory: its monitors' sockets, its keeper's FIFO and last word, and what QEMU
 * wrote on its standard error. It is readable by its owner alone and does not outlive a boot.
 */
import { mkdir, rm } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { isShort } from "@ferry/qmp";
import { removeCgroups } from "./cgroup.js";
import { isHeld } from "./held.js";
import { stateOf } from "./identity.js";
import { readLastWord } from "./last-word.js";
import { readProcesses } from "./processes.js";
import { makeQemuDirectory, type QemuUser } from "./run-as.js";

/** The kernel's limit on a unix socket's path (sun_path), less its closing NUL, in bytes. */
const SOCKET_PATH_BYTES_MAX = 107;
/** Longest name of a socket in a run directory, in bytes. */
const SOCKET_NAME_BYTES_MAX = 24;
/**
 * A removal that lacks a descriptor, or finds something that was put there meanwhile, is tried again so often:
 * after this time in milliseconds, after twice as long, and so on, for 5.5 s in all.
 */
const REMOVALS_MAX = 11;
const REMOVE_AGAIN_MS = 100;

/** A keeper that lives while its QEMU does not is reaping it, and needs this long at most, in milliseconds. */
export const LAST_WORD_TIMEOUT_MS = 1_000;
const LOOK_AGAIN_MS = 5;

/** Where the keeper takes orders. */
export function fifoPath(runDir: string): string {
  return join(runDir, "keeper.fifo");
}

/** There once an agent freed the keeper. */
export function freedPath(runDir: string): string {
  return join(runDir, "freed");
}

/** How QEMU ended, in the keeper's words. */
export function lastWordPath(runDir: string): string {
  return join(runDir, "last-word");
}

/** Who lives here: written by the agent that launched them, for one that has no record of it. */
export function processesPath(runDir: string): string {
  return join(runDir, "processes.json");
}

/** QEMU's standard output and error, and its keeper's. */
export function logPath(runDir: string): string {
  return join(runDir, "qemu.log");
}

/**
 * Makes the directory, 0700, with nothing in it but the one that belongs to `user`. One that a crash left behind is replaced. Throws if a QEMU
 * lives in it, or if sockets in it could not be opened.
 */
export async function makeRunDirectory(
  runDir: string,
  user?: Pick<QemuUser, "uid" | "gid">,
): Promise<void> {
  checkRunDirectory(runDir);
  const made = await mkdir(runDir, { recursive: true, mode: 0o700 });
  if (made === undefined) {
    await removeRunDirectory(runDir);
    await mkdir(runDir, { mode: 0o700 });
  }
  await makeQemuDirectory(runDir, user);
}

/**
 * The QEMU that lives in a run directory, in words; undefined: none does. One that is not seen lives all the
 * same while its FIFO is held and no last word was left: in another PID namespace, or hidden in /proc.
 */
export async function qemuLivingIn(runDir: string): Promise<string | undefined> {
  const there = await readProcesses(runDir);
  if (there !== undefined && stateOf(there.qemu) === "lives")
    return `a QEMU (pid ${there.qemu.pid})`;
  // A keeper that has just reaped it is about to say so, and to go.
  const deadline = performance.now() + LAST_WORD_TIMEOUT_MS;
  while (readLastWord(runDir) === undefined && isHeld(fifoPath(runDir))) {
    if (performance.now() > deadline) {
      return "a QEMU that this agent does not see (of another PID namespace, or hidden in /proc)";
    }
    await wait(LOOK_AGAIN_MS);
  }
  return undefined;
}

/**
 * Removes it with all that is in it, and the guest's cgroups. One that is gone already is no error.
 * Throws if a QEMU lives in it: nobody could find that one again. What stays behind is found by the next start.
 */
export async function removeRunDirectory(runDir: string): Promise<void> {
  if (runDir === "") return; // a guest that never had one
  checkRunDirectory(runDir);
  for (let tries = 1; ; tries += 1) {
    try {
      await removeNow(runDir);
      return;
    } catch (error) {
      if (!passes(error) || tries === REMOVALS_MAX) throw error;
    }
    await wait(tries * REMOVE_AGAIN_MS);
  }
}

function passes(error: unknown): boolean {
  return isShort(error) || (error as NodeJS.ErrnoException).code === "ENOTEMPTY"; // whatever it is, it is only read
}

async function removeNow(runDir: string): Promise<void> {
  const qemu = await qemuLivingIn(runDir);
  if (qemu !== undefined) {
    throw new Error(`${qemu} still lives in ${runDir}: its guest may run, so it is left alone`);
  }
  await removeCgroups(runDir);
  await rm(runDir, { recursive: true, force: true });
}

/** Throws for a path whose sockets the kernel would not open. */
export function checkRunDirectory(runDir: string): void {
  if (!isAbsolute(runDir)) throw new Error(`a run directory's path must be absolute: ${runDir}`);
  const bytesMax = SOCKET_PATH_BYTES_MAX - SOCKET_NAME_BYTES_MAX - 1;
  const bytes = Buffer.byteLength(runDir);
  if (bytes > bytesMax) {
    throw new Error(
      `the run directory's path has ${bytes} bytes and may have ${bytesMax}, since a unix socket's path must stay under 108: choose a shorter run_dir (${runDir})`,
    );
  }
}
