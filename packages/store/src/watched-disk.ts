/*
 * A disk that tells what it refuses. Whoever waits for a step of his own hears of it anyway; this is for
 * those who watch the host: a state directory that cannot be written must be told as such, at once.
 */
import type { Disk } from "./disk.js";
import { diskAround } from "./disk-around.js";
import { isErrno, REFUSALS } from "./errors.js";

/** `heard` is told each refusal, and `undefined` when contents were written: then it can be. */
export function watchedDisk(
  disk: Disk,
  heard: (refusal: NodeJS.ErrnoException | undefined) => void,
): Disk {
  return diskAround(disk, async (_change, making, bytes) => {
    try {
      await making;
    } catch (error) {
      if (isErrno(error, ...REFUSALS)) heard(error);
      throw error;
    }
    if (bytes > 0) heard(undefined); // a full disk takes names, and empty files
  });
}
