/* The state directory, checked and locked before anything in it is believed. */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { isErrno, StoreRefused, StoreUnwritable } from "./errors.js";
import { type Lock, lockDirectory } from "./lock.js";

/** The collections of a state directory. */
export const COLLECTIONS = ["guests", "arrivals", "departures", "endings"] as const;

/** Makes what is missing and takes the role's lock. */
export function openStateDirectory(path: string, role: string): Lock {
  const { dev, uid } = directoryAt(path);
  const own = process.getuid?.();
  if (uid !== own) {
    throw new StoreRefused(
      `the state directory ${path} belongs to user id ${uid}, and this agent runs as ${own}: run it as that user, or give it a directory of its own`,
    );
  }
  for (const name of COLLECTIONS) {
    if (directoryAt(join(path, name)).dev !== dev) {
      throw new StoreRefused(
        `${join(path, name)} is on another file system than ${path}, and a guest lands by a rename between its folders: put the whole state directory on one mount`,
      );
    }
  }
  return lockDirectory(path, role);
}

function directoryAt(path: string) {
  try {
    makeDirectory(path);
    const found = statSync(path);
    if (!found.isDirectory()) throw new StoreRefused(`${path} is not a directory`);
    return found;
  } catch (error) {
    if (isErrno(error, "EEXIST", "ENOTDIR")) {
      throw new StoreRefused(`${path} is not a directory`, { cause: error });
    }
    if (isErrno(error)) throw new StoreUnwritable(path, error);
    throw error;
  }
}

/** With all above it. Node.js' own `recursive` tries for ever where the kernel lets nothing be made, as in /proc. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error; // the host's other agent made it meanwhile
  }
}
