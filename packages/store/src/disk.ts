/* The few things the store asks of a file system: a test can stand in between any two of them. */
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { isErrno } from "./errors.js";

export interface OpenDirectory {
  /** As `syncDirectory`. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface Disk {
  /** Makes a directory, for its owner alone. It may exist. */
  makeDirectory(path: string): Promise<void>;
  /** Writes a new file, for its owner alone, and syncs its contents. */
  writeFile(path: string, bytes: Buffer): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): Promise<void>;
  /** Opens a directory that will have to be synced in a hurry. */
  openDirectory(path: string): Promise<OpenDirectory>;
  /** Sets a file's modification time. */
  touch(path: string, time: Date): Promise<void>;
  /** Removes a file, or a directory with all it holds; it need not exist. */
  remove(path: string): Promise<void>;
  /** Undefined if there is no such file. */
  readFile(path: string): Promise<Buffer | undefined>;
  /** Modification time; undefined if nothing is there. */
  modified(path: string): Promise<Date | undefined>;
  /** Names in a directory, sorted; none if it does not exist. */
  names(path: string): Promise<string[]>;
}

export const realDisk: Disk = {
  async makeDirectory(path) {
    await mkdir(path, { mode: 0o700, recursive: true });
  },
  async writeFile(path, bytes) {
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync(); // on the descriptor that wrote: another one may never hear of the error
    } finally {
      await file.close();
    }
  },
  rename,
  async syncDirectory(path) {
    const directory = await open(path, "r");
    try {
      await directory.sync();
    } finally {
      directory.close().catch(() => {}); // nothing was written on it: nobody waits for that
    }
  },
  openDirectory: (path) => open(path, "r"),
  touch: (path, time) => utimes(path, time, time),
  remove: (path) => rm(path, { recursive: true, force: true }),
  readFile: (path) => unlessMissing(readFile(path), undefined),
  modified: async (path) => (await unlessMissing(stat(path), undefined))?.mtime,
  names: async (path) => (await unlessMissing(readdir(path), [])).sort(),
};

async function unlessMissing<Result>(promise: Promise<Result>, otherwise: Result): Promise<Result>;
async function unlessMissing<Result>(
  promise: Promise<Result>,
  otherwise: undefined,
): Promise<Result | undefined>;
async function unlessMissing<Result>(promise: Promise<Result>, otherwise: Result | undefined) {
  try {
    return await promise;
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return otherwise;
    throw error;
  }
}
