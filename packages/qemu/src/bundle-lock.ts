/*
 * Who uses a copy of a bundle: every agent that may launch from it holds its lock together with others
 * (shared), and who removes it holds it alone. The lock is flock(2) on a file beside the copy, taken by
 * util-linux's flock through a descriptor of ours; it dies with the process, however that dies.
 */
import { spawnSync } from "node:child_process";
import { closeSync, fstatSync, openSync, rmSync, statSync } from "node:fs";

export interface BundleLock {
  release(): void;
  /** Removes the lock's file, by who holds it alone. */
  remove(): void;
}

/** How often a lock is tried for that somebody removed while we waited. */
const TRIES_MAX = 10;
/** How long one that removes a copy is waited for, in seconds. */
const SHARED_WAIT_S = 30;

/** Undefined if somebody else holds it. Shared: waits for one who removes; exclusive: does not wait. */
export async function lockBundle(
  copy: string,
  kind: "shared" | "exclusive",
): Promise<BundleLock | undefined> {
  const path = `${copy}.lock`;
  for (let tries = 1; tries <= TRIES_MAX; tries += 1) {
    const descriptor = openSync(path, "a", 0o600);
    if (!take(descriptor, kind)) {
      closeSync(descriptor);
      return undefined;
    }
    if (isAt(path, descriptor)) return held(path, descriptor);
    closeSync(descriptor); // its file was removed meanwhile: another one counts
  }
  return undefined;
}

function held(path: string, descriptor: number): BundleLock {
  let open = true;
  return {
    release: () => {
      if (open) closeSync(descriptor);
      open = false;
    },
    remove: () => rmSync(path, { force: true }),
  };
}

function take(descriptor: number, kind: "shared" | "exclusive"): boolean {
  const patience = kind === "shared" ? ["--timeout", String(SHARED_WAIT_S)] : ["--nonblock"];
  const { status, error } = spawnSync("flock", [`--${kind}`, ...patience, "3"], {
    stdio: ["ignore", "ignore", "ignore", descriptor],
  });
  if (error !== undefined) {
    throw new Error("flock(1) cannot be run: install util-linux", { cause: error });
  }
  return status === 0;
}

function isAt(path: string, descriptor: number): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  const ours = fstatSync(descriptor);
  return found !== undefined && found.dev === ours.dev && found.ino === ours.ino;
}
