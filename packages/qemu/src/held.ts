/*
 * Whether anybody lives in a run directory, asked of the directory and not of /proc: an agent in another PID
 * namespace than its guests, or with a /proc that hides them, sees none of their processes, and must not take
 * them for dead.
 */
import { closeSync, constants, openSync, readSync, statSync } from "node:fs";

/**
 * Somebody has the FIFO open: its keeper, which reads, or its QEMU, whose standard input is the writing end.
 * That does not depend on who may see whom. Nothing is written, and nothing read that anybody waits for.
 */
export function isHeld(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.isFIFO() !== true) return false;
  try {
    closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK));
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    if (codeOf(error) !== "ENXIO") throw error; // ENXIO: nobody reads
  }
  const fifo = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return readSync(fifo, Buffer.alloc(1)) > 0; // 0: nobody writes
  } catch (error) {
    if (codeOf(error) !== "EAGAIN") throw error;
    return true;
  } finally {
    closeSync(fifo);
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code; // the only errors of these calls
}
