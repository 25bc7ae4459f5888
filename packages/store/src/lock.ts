/*
 * One agent of a role per state directory. The lock is flock(2) on a descriptor of ours: util-linux's
 * flock takes it through an inherited descriptor and exits, and the lock stays with the open file.
 * It cannot outlive this process however it dies, and is not inherited by what the agent starts,
 * since Node closes descriptors on exec.
 */
import { spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { isErrno, StoreRefused, StoreUnwritable } from "./errors.js";

export interface Lock {
  release(): void;
}

/** Takes the lock, or throws `StoreRefused` at once. */
export function lockDirectory(directory: string, role: string): Lock {
  const path = join(directory, `${role}.lock`);
  const descriptor = openLock(path);
  const { status, error, signal } = spawnSync("flock", ["--nonblock", "--exclusive", "3"], {
    stdio: ["ignore", "ignore", "ignore", descriptor],
  });
  if (status === 0) {
    writePid(descriptor);
    return { release: () => closeSync(descriptor) };
  }
  const pid = readFileSync(path, "utf8").trim();
  closeSync(descriptor);
  if (isErrno(error, "ENOENT")) {
    throw new StoreRefused("flock(1) is not installed: install util-linux", { cause: error });
  }
  if (error !== undefined || status !== 1) {
    throw new StoreRefused(`flock(1) failed on ${path} (status ${status ?? signal})`, {
      cause: error,
    });
  }
  throw new StoreRefused(
    `another ${role} agent${pid === "" ? "" : ` (pid ${pid})`} has ${directory}: stop it first, or use another state directory`,
  );
}

function openLock(path: string): number {
  try {
    return openSync(path, "a+", 0o600);
  } catch (error) {
    if (isErrno(error)) throw new StoreUnwritable(path, error);
    throw error;
  }
}

/** Only for people: the lock does not depend on it, so a full disk may keep it from being written. */
function writePid(descriptor: number): void {
  try {
    ftruncateSync(descriptor);
    writeSync(descriptor, `${process.pid}\n`);
  } catch (error) {
    if (!isErrno(error)) throw error;
  }
}
