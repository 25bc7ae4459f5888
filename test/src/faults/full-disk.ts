/* A state directory in which not even a file of one byte fits any more, and one in which there is room again. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const fillerIn = (stateDir: string) => join(stateDir, "filler");

export function isFull(stateDir: string): boolean {
  return existsSync(fillerIn(stateDir));
}

export function fill(stateDir: string): void {
  if (isFull(stateDir)) return;
  const folder = fillerIn(stateDir);
  mkdirSync(folder);
  for (const bytes of [1024 * 1024, 4096, 1]) {
    for (let number = 0; fits(join(folder, `${bytes}-${number}`), Buffer.alloc(bytes)); )
      number += 1;
  }
}

export function makeRoom(stateDir: string): void {
  rmSync(fillerIn(stateDir), { recursive: true, force: true });
}

function fits(path: string, bytes: Buffer): boolean {
  try {
    writeFileSync(path, bytes);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    return false;
  }
}
