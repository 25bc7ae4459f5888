/*
 * Who lives in a run directory, as the agent that launched them wrote it down. A guest's record says
 * the same, but is written later: an agent and a keeper that both die in between leave a paused QEMU
 * that no record knows of.
 */
import { readFile, writeFile } from "node:fs/promises";
import type { ProcessIdentity } from "./identity.js";
import { processesPath } from "./run-directory.js";

export interface Processes {
  readonly keeper: ProcessIdentity;
  readonly qemu: ProcessIdentity;
}

export async function writeProcesses(runDir: string, processes: Processes): Promise<void> {
  await writeFile(processesPath(runDir), `${JSON.stringify(processes)}\n`, { mode: 0o600 });
}

/** Undefined if nobody was launched here, or it is only half written. Rejects if it cannot be read. */
export async function readProcesses(runDir: string): Promise<Processes | undefined> {
  let text: string;
  try {
    text = await readFile(processesPath(runDir), "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException; // the only errors of a read
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error; // somebody may live here all the same
  }
  let read: Record<string, unknown>;
  try {
    read = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { keeper, qemu } = read ?? {};
  return isIdentity(keeper) && isIdentity(qemu) ? { keeper, qemu } : undefined;
}

function isIdentity(value: unknown): value is ProcessIdentity {
  if (typeof value !== "object" || value === null) return false;
  const { pid, startTime, bootId } = value as Record<string, unknown>; // an object, as just seen
  return Number.isInteger(pid) && typeof startTime === "string" && typeof bootId === "string";
}
