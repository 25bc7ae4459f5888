import { randomUUID } from "node:crypto";
import { dirname, join } from "node:path";
import type { Disk } from "./disk.js";
import { isErrno, StoreCorrupt, writing } from "./errors.js";
import { decode, encode, type Format } from "./format.js";

/**
 * What a power loss may do to a record that was replaced. Either way it is the old one or the new
 * one, whole: the contents are always synced before the rename, since a file that is renamed first
 * can come back empty.
 */
export type Durability =
  /** It may bring the old one back. */
  | "write"
  /** Nothing. */
  | "fsync";

/** A directory, a loop of links, a socket, or another user's. */
const NO_FILE = ["EISDIR", "ELOOP", "ENXIO", "EACCES", "EPERM"] as const;

/** Names of things that are not finished begin so; each agent tidies away its own. */
export function unfinished(role: string): string {
  return `.${role}.${randomUUID()}`;
}

export function isUnfinished(name: string, role: string): boolean {
  return name.startsWith(`.${role}.`);
}

/** Replaces a file, or makes it: write, sync, rename. */
export async function writeRecord<Body>(
  disk: Disk,
  role: string,
  {
    path,
    format,
    body,
    durability,
    modified,
  }: {
    readonly path: string;
    readonly format: Format<Body>;
    readonly body: Body;
    readonly durability: Durability;
    /** The modification time it is to have. */
    readonly modified?: Date | undefined;
  },
): Promise<void> {
  const directory = dirname(path);
  const beside = join(directory, unfinished(role));
  await writing(path, async () => {
    try {
      await disk.writeFile(beside, encode(format, body));
      if (modified !== undefined) await disk.touch(beside, modified);
      await disk.rename(beside, path);
    } catch (error) {
      await disk.remove(beside).catch(() => {}); // tidied away at the next start
      throw error;
    }
    if (durability === "fsync") await disk.syncDirectory(directory);
  });
}

/** Undefined if there is none. Throws StoreCorrupt for what is there and no file, or not to be read. */
export async function readRecord<Body>(
  disk: Disk,
  path: string,
  format: Format<Body>,
): Promise<Body | undefined> {
  const bytes = await disk.readFile(path).catch((error: unknown) => {
    if (!isErrno(error, ...NO_FILE)) throw error;
    throw new StoreCorrupt(path, `it cannot be read as a file (${error.code})`, { cause: error });
  });
  return bytes === undefined ? undefined : decode(format, bytes, path);
}
