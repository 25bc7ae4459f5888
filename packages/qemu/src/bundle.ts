/*
 * A QEMU that outlives the image it came from. A running QEMU goes on opening files: a ROM when a
 * device is plugged in, a module, a library of that module. A container's image is gone soon after its
 * container, so an agent in one runs no QEMU from there: it copies the image's bundle (a folder that
 * finds everything beside itself, see deploy/image/qemu-bundle.sh) to the host, under the bundle's hash,
 * and guests run from the copy. A copy never changes; another QEMU is another folder beside it.
 */
import { randomUUID } from "node:crypto";
import { chmod, cp, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { lockBundle } from "./bundle-lock.js";
import { ofProcess } from "./identity.js";
import { makeDirectory } from "./make-directory.js";

/** Where QEMU is inside a bundle. */
const BINARY = "usr/bin/qemu-system-x86_64";
/** The file in which a bundle has its hash. */
const DIGEST_FILE = "digest";
const DIGEST = /^[0-9a-f]{16}$/;
/** A copy that was begun and not ended is swept once it is this old, in milliseconds. */
const HALF_COPY_MS = 60 * 60 * 1000;
const HALF_COPY = /^new-/;

export interface InstalledQemu {
  /** Absolute path of QEMU in the copy. */
  readonly binary: string;
  /** Hash of the bundle. */
  readonly digest: string;
  /** From now on the copy may be removed once no guest runs from it. */
  release(): void;
}

/**
 * Copies the bundle at `bundle` to a folder of its own under `dir`, unless it is there, and keeps it
 * from being removed for as long as this process lives. Both agents of a host may do so at once.
 */
export async function installQemu(bundle: string, dir: string): Promise<InstalledQemu> {
  const digest = await digestOf(bundle);
  const copy = join(dir, digest);
  await makeDirectory(dir);
  await removeHalfCopies(dir);
  const lock = await lockBundle(copy, "shared");
  if (lock === undefined) throw new Error(`${copy} is being removed at this moment: try again`);
  try {
    if (!(await exists(copy))) await copyWhole(bundle, copy, dir);
  } catch (cause) {
    lock.release();
    throw new Error(`QEMU could not be copied to ${copy}: is there room, and may it be written?`, {
      cause,
    });
  }
  return { binary: join(copy, BINARY), digest, release: () => lock.release() };
}

/** Removes the copies that no agent holds and no process uses; answers their hashes. */
export async function removeUnusedQemus(dir: string): Promise<string[]> {
  const removed: string[] = [];
  for (const digest of await digestsIn(dir)) {
    const copy = join(dir, digest);
    const lock = await lockBundle(copy, "exclusive");
    if (lock === undefined) continue; // an agent holds it
    try {
      if (await inUse(copy)) continue;
      // Out of sight at once: half a QEMU must never be found under its name.
      const doomed = join(dir, `new-${randomUUID()}`);
      await rename(copy, doomed);
      await removeTree(doomed);
      lock.remove();
      removed.push(digest);
    } finally {
      lock.release();
    }
  }
  return removed;
}

async function digestOf(bundle: string): Promise<string> {
  let digest: string;
  try {
    digest = (await readFile(join(bundle, DIGEST_FILE), "utf8")).trim();
    await stat(join(bundle, BINARY));
  } catch (cause) {
    throw new Error(`${bundle} has no QEMU in it (qemu.bundle in the configuration)`, { cause });
  }
  if (DIGEST.test(digest)) return digest;
  throw new Error(`${join(bundle, DIGEST_FILE)} does not say a bundle's hash`);
}

/** A copy that is there under its name is whole, and on the disk. */
async function copyWhole(bundle: string, copy: string, dir: string): Promise<void> {
  const fresh = join(dir, `new-${randomUUID()}`);
  try {
    await cp(bundle, fresh, { recursive: true, verbatimSymlinks: true });
    for (const each of await readdir(fresh, { recursive: true, withFileTypes: true })) {
      if (each.isFile()) await sync(join(each.parentPath, each.name));
    }
    await rename(fresh, copy);
    await sync(dir);
  } catch (error) {
    await removeTree(fresh);
    // The host's other agent was faster: then it is there, and whole.
    if (!(await exists(copy))) throw error;
  }
}

/** An image's folders may be read-only, and a root without capabilities minds that. */
async function removeTree(path: string): Promise<void> {
  await chmod(path, 0o700).catch(() => {});
  for (const each of await readdir(path, { withFileTypes: true }).catch(() => [])) {
    if (each.isDirectory()) await removeTree(join(path, each.name));
  }
  await rm(path, { recursive: true, force: true });
}

async function sync(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function digestsIn(dir: string): Promise<string[]> {
  return (await readdir(dir).catch(() => [])).filter((name) => DIGEST.test(name));
}

async function removeHalfCopies(dir: string): Promise<void> {
  for (const name of (await readdir(dir)).filter((each) => HALF_COPY.test(each))) {
    const path = join(dir, name);
    const seen = await stat(path).catch(() => undefined);
    if (seen === undefined || Date.now() - seen.mtimeMs < HALF_COPY_MS) continue;
    await removeTree(path);
  }
}

/**
 * Whether any process of the machine runs from the copy, or is a keeper that was told to run one. By
 * the program's file, whatever path another container sees it under; and by the command line, which
 * may also be read of a process that has rights we do not have. Rejects if one cannot be looked at.
 */
async function inUse(copy: string): Promise<boolean> {
  const binary = await stat(join(copy, BINARY)).catch(() => undefined);
  const pids = (await readdir("/proc")).filter((name) => /^[0-9]+$/.test(name));
  for (const pid of pids) {
    const program = await ofProcess(stat(`/proc/${pid}/exe`));
    if (program !== undefined && program.dev === binary?.dev && program.ino === binary.ino) {
      return true;
    }
    const words = (await ofProcess(readFile(`/proc/${pid}/cmdline`, "utf8")))?.split("\0");
    if (words?.some((word) => word.startsWith(`${copy}/`))) return true;
  }
  return false;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
