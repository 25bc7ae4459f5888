/*
 * Processes of this machine, as /proc shows them. A test's own are told apart by the name of its
 * private folder, which stands in the command line of every agent, keeper and QEMU that it started:
 * nobody else's process is ever touched.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface SeenProcess {
  readonly pid: number;
  /** Process id of its parent; 0 if it was gone before it could be asked. */
  readonly parent: number;
  readonly commandLine: string;
}

/** Living processes with `text` in their command line, this one left out. */
export function processesMentioning(text: string): SeenProcess[] {
  const seen: SeenProcess[] = [];
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const commandLine = commandLineOf(pid);
    if (commandLine.includes(text)) seen.push({ pid, parent: parentOf(pid), commandLine });
  }
  return seen;
}

/** The living process that has a socket open, by the inode that /proc/net/tcp tells of it; this one left out. */
export function processHolding(inode: string): SeenProcess | undefined {
  return processesMentioning("").find(({ pid }) => {
    try {
      const opened = readdirSync(`/proc/${pid}/fd`).map((fd) =>
        readlinkSync(`/proc/${pid}/fd/${fd}`),
      );
      return opened.includes(`socket:[${inode}]`);
    } catch {
      return false; // it is gone, or one of its descriptors is
    }
  });
}

/** Empty for a process that is gone, and for a zombie: both have ended. */
function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

/** Its parent's pid; 0 if it is gone. The second word after the name, which is in brackets and may hold anything (proc(5)). */
export function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return 0;
  }
}

/** Whether that process runs. A zombie does not. */
export function isRunning(pid: number): boolean {
  return pid > 0 && commandLineOf(pid) !== "";
}

/** Sends a signal; a process that is gone is none to complain about. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
