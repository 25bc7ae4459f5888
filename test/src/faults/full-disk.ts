/*
 * A directory on a small disk of its own in which not even a file of one byte fits any more, and one in
 * which there is room again.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** As much as a guest writes to its console while a disk is full, and much more. */
const CONSOLE_BYTES = 512 * 1024;

const fillerIn = (dir: string) => join(dir, "filler");

export function isFull(dir: string): boolean {
  return existsSync(fillerIn(dir));
}

export function fill(dir: string): void {
  if (isFull(dir)) return;
  const folder = fillerIn(dir);
  mkdirSync(folder);
  for (const bytes of [1024 * 1024, 4096, 1]) {
    for (let number = 0; fits(join(folder, `${bytes}-${number}`), Buffer.alloc(bytes)); )
      number += 1;
  }
}

/**
 * Fills a run directory, so that nobody can make anything in it any more: no file, no socket, no folder. What
 * guests will yet say on their consoles has its place beforehand, since that is what the judge reads.
 */
export function fillRun(runDir: string): void {
  if (isFull(runDir)) return;
  for (const entry of readdirSync(runDir)) {
    const path = join(runDir, entry, "console.log");
    if (existsSync(path)) reserve(path, CONSOLE_BYTES);
  }
  fill(runDir);
  const folder = fillerIn(runDir);
  for (let number = 0; fits(join(folder, `empty-${number}`), Buffer.alloc(0)); ) number += 1;
}

export function makeRoom(dir: string): void {
  rmSync(fillerIn(dir), { recursive: true, force: true });
}

/** That file can grow by so many bytes, however full the disk becomes. It does not look any longer. */
function reserve(path: string, bytes: number): void {
  const args = ["--keep-size", "--offset", `${statSync(path).size}`, "--length", `${bytes}`, path];
  const done = spawnSync("fallocate", args, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`fallocate: ${done.error?.message ?? done.stderr}`);
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
