/*
 * A disk that tells what it refuses. Whoever waits for a step of his own hears of it anyway; this is for
 * those who watch the host: a state directory that cannot be written must be told as such, at once.
 */
import type { Disk } from "./disk.js";
import { isErrno } from "./errors.js";

/** What a disk says when it cannot be written at all; anything else is about one name in it. */
const REFUSALS = ["ENOSPC", "EDQUOT", "EROFS", "EIO", "EACCES", "EPERM"];

/** `heard` is told each refusal, and `undefined` when contents were written: then it can be. */
export function watchedDisk(
  disk: Disk,
  heard: (refusal: NodeJS.ErrnoException | undefined) => void,
): Disk {
  const telling = async (step: Promise<void>) => {
    try {
      await step;
    } catch (error) {
      if (isErrno(error, ...REFUSALS)) heard(error);
      throw error;
    }
  };
  return {
    makeDirectory: (path) => telling(disk.makeDirectory(path)),
    writeFile: async (path, bytes) => {
      await telling(disk.writeFile(path, bytes));
      if (bytes.length > 0) heard(undefined); // a full disk takes names, and empty files
    },
    rename: (from, to) => telling(disk.rename(from, to)),
    syncDirectory: (path) => telling(disk.syncDirectory(path)),
    openDirectory: async (path) => {
      const directory = await disk.openDirectory(path);
      return { sync: () => telling(directory.sync()), close: () => directory.close() };
    },
    touch: (path, time) => telling(disk.touch(path, time)),
    remove: (path) => telling(disk.remove(path)),
    readFile: (path) => disk.readFile(path),
    modified: (path) => disk.modified(path),
    names: (path) => disk.names(path),
  };
}
