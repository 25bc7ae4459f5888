/*
 * The keeper's script, installed under the hash of what it says. A running shell reads its script
 * as it goes, so the file of a living keeper must never change: another version is another file.
 */
import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeDirectory } from "./make-directory.js";

const SCRIPT = fileURLToPath(new URL("../keeper/keeper.sh", import.meta.url));
const HASH_CHARACTERS = 16;

/**
 * Shells that reap in `wait` and nowhere else, which the script's safety rests on, smallest first.
 * Another /bin/sh (bash) works, but reaps behind the script's back: then the instant between QEMU's
 * end and its keeper's next order is guarded by chance alone.
 */
const SHELLS: readonly (readonly [path: string, ...args: string[]])[] = [
  ["/bin/dash"],
  ["/usr/bin/dash"],
  ["/bin/busybox", "sh"],
  ["/bin/sh"],
];

/** Installs the script in `dir`, if it is not there yet, and answers its path. */
export async function installKeeper(dir: string): Promise<string> {
  const script = await readFile(SCRIPT);
  const hash = createHash("sha256").update(script).digest("hex").slice(0, HASH_CHARACTERS);
  const path = join(dir, `keeper-${hash}.sh`);
  const there = await readFile(path).catch(() => undefined);
  if (there?.equals(script)) return path;
  // A torn file is replaced by a rename: whoever reads the old one goes on reading it.
  await makeDirectory(dir);
  const fresh = `${path}.${randomUUID()}`;
  await writeFile(fresh, script, { mode: 0o500, flush: true });
  await rename(fresh, path);
  return path;
}

/** The shell that keepers run in, with its own arguments. */
export function keeperShell(): readonly [path: string, ...args: string[]] {
  return SHELLS.find(([path]) => existsSync(path)) ?? ["/bin/sh"];
}
