/*
 * A disk seen by somebody who stands beside it: whoever counts or watches its changes is given each one
 * while it is being made, and what is only read passes by.
 */
import type { Disk } from "./disk.js";

/** `write`: a file and its sync; `sync`: a directory's names. */
export type DiskChange = "makeDirectory" | "write" | "rename" | "sync" | "touch" | "remove";

/**
 * The same disk. `around` is given each change as it is made, with how many bytes of contents it writes,
 * and settles as the change does.
 */
export function diskAround(
  disk: Disk,
  around: (change: DiskChange, making: Promise<void>, bytes: number) => Promise<void>,
): Disk {
  return {
    makeDirectory: (path) => around("makeDirectory", disk.makeDirectory(path), 0),
    writeFile: (path, bytes) => around("write", disk.writeFile(path, bytes), bytes.length),
    rename: (from, to) => around("rename", disk.rename(from, to), 0),
    syncDirectory: (path) => around("sync", disk.syncDirectory(path), 0),
    openDirectory: async (path) => {
      const directory = await disk.openDirectory(path);
      return { sync: () => around("sync", directory.sync(), 0), close: () => directory.close() };
    },
    touch: (path, time) => around("touch", disk.touch(path, time), 0),
    remove: (path) => around("remove", disk.remove(path), 0),
    readFile: (path) => disk.readFile(path),
    modified: (path) => disk.modified(path),
    names: (path) => disk.names(path),
  };
}
