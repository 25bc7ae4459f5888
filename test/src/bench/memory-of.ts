/* Memory of processes, as the kernel counts it (/proc/PID/status). */
import { readFileSync } from "node:fs";

const KIB = 1024;

/** Resident bytes; 0 for a process that is gone. */
export function residentBytes(pid: number): number {
  return field(pid, "VmRSS");
}

/** The most that were ever resident, in bytes. */
export function peakBytes(pid: number): number {
  return field(pid, "VmHWM");
}

/** Its parent's process id. */
export function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(status(pid))?.[1] ?? 0);
}

function field(pid: number, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status(pid))?.[1] ?? 0) * KIB;
}

function status(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
}
