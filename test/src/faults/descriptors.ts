/*
 * An agent that has run out of descriptors, as after a flood of connections: what it holds it keeps, and
 * it can open nothing more. Done from outside, with its limit.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { agentPid, type Fault } from "./fault.js";
import type { Role } from "./stage.js";

/** What it opened or closed while it was looked at may leave a spare one: it is looked at so often. */
const LOOKS_MAX = 5;

export function noDescriptors(role: Role): Fault {
  const short = new Set<number>();
  return {
    words: `the ${role} agent has no descriptor left`,
    lasts: true,
    cuts: false,
    inject: (scene) => {
      const pid = agentPid(role, scene);
      short.add(pid);
      let limit = Number.POSITIVE_INFINITY;
      for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
        const spare = firstSpare(pid);
        if (spare >= limit) return;
        limit = spare;
        limitDescriptors(pid, limit);
      }
    },
    mend: () => {
      for (const pid of short) {
        const hard = hardLimit(pid); // an agent that was ended needs nothing
        if (hard !== undefined) limitDescriptors(pid, hard);
      }
      short.clear();
    },
  };
}

/** The descriptor that it would be given next: the kernel gives the lowest. */
function firstSpare(pid: number): number {
  const held = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let spare = 0;
  while (held.has(spare)) spare += 1;
  return spare;
}

function hardLimit(pid: number): string | undefined {
  try {
    const line = /^Max open files +\S+ +(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8"));
    return line?.[1];
  } catch {
    return undefined;
  }
}

/** The soft limit: descriptors that are held above it stay open (prlimit(2)). */
function limitDescriptors(pid: number, limit: number | string): void {
  const done = spawnSync("prlimit", [`--pid=${pid}`, `--nofile=${limit}:`], { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`prlimit: ${done.error?.message ?? done.stderr}`);
}
