/*
 * A pid says little: the kernel hands it to another process as soon as its owner was reaped. A pid
 * with its start time and the boot it belongs to names one process for ever, also across restarts
 * of the agent.
 */
import { readFileSync } from "node:fs";

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, as /proc/PID/stat has it; text, since it may exceed 2^53. */
  readonly startTime: string;
  readonly bootId: string;
}

/** `zombie`: it ended, and its parent has not waited for it yet. It runs nothing and holds its pid. */
export type ProcessState = "lives" | "zombie" | "gone";

/* Fields of /proc/PID/stat (proc(5)), counted from the state, the first one after the name. */
const STATE = 0;
const PARENT = 1;
const THREADS = 17;
const START_TIME = 19;

/** There is none (ESRCH if it ended between open and read), or it is another user's and hidden from us. */
const NOT_OURS: ReadonlySet<string> = new Set(["ENOENT", "ESRCH", "EPERM", "EACCES"]);

let bootId: string | undefined;

/** This boot of the kernel. */
export function currentBootId(): string {
  bootId ??= readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  return bootId;
}

/** The child of `parent` that has this pid; undefined if there is none (any more). */
export function identify(pid: number, parent: number): ProcessIdentity | undefined {
  const stat = seen(readStat(pid));
  const startTime = stat?.[START_TIME];
  if (startTime === undefined || Number(stat?.[PARENT]) !== parent) return undefined;
  return { pid, startTime, bootId: currentBootId() };
}

/** Whoever has this pid now, and its parent's pid; undefined if nobody has. */
export function identifyAny(
  pid: number,
): { readonly identity: ProcessIdentity; readonly parent: number } | undefined {
  const stat = readStat(pid);
  // Whoever looks for what nobody owns must not miss its keeper.
  if (stat === "unseen") throw new Error(`process ${pid} cannot be looked at`);
  const startTime = stat?.[START_TIME];
  if (startTime === undefined) return undefined;
  return { identity: { pid, startTime, bootId: currentBootId() }, parent: Number(stat?.[PARENT]) };
}

/**
 * What became of that very process. Another one with its pid counts as gone. One that cannot be looked
 * at, because this process has no descriptor left, counts as living: whoever hears that it is gone
 * believes so for ever.
 */
export function stateOf(identity: ProcessIdentity): ProcessState {
  if (identity.bootId !== currentBootId()) return "gone";
  const stat = readStat(identity.pid);
  return stat === "unseen" ? "lives" : stateIn(stat, identity);
}

function stateIn(stat: string[] | undefined, identity: ProcessIdentity): ProcessState {
  if (stat === undefined || stat[START_TIME] !== identity.startTime) return "gone";
  const state = stat[STATE];
  if (state === "X" || state === "x") return "gone";
  // A process whose first thread ended is a zombie in name while its other threads still run.
  return state === "Z" && Number(stat[THREADS]) <= 1 ? "zombie" : "lives";
}

/**
 * SIGKILL to that very process; false if it is gone, or cannot be looked at. Between the look and the signal the pid could
 * be handed on: so this is for a process whose parent cannot be asked, and never the first choice.
 */
export function killByIdentity(identity: ProcessIdentity): boolean {
  if (identity.bootId !== currentBootId()) return false;
  if (stateIn(seen(readStat(identity.pid)), identity) === "gone") return false;
  try {
    process.kill(identity.pid, "SIGKILL");
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}

/**
 * Undefined if there is no such process. Read at once: /proc answers from memory. As UTF-8, which Node reads in one go, in a third of the time of
 * any other encoding; a name that is none garbles nothing but itself.
 */
function readStat(pid: number): string[] | "unseen" | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException; // the only errors of a read
    return NOT_OURS.has(code) ? undefined : "unseen";
  }
  // The name is in parentheses and may itself hold spaces and parentheses.
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** What was seen of a process in /proc; undefined if it has ended, or is hidden from us. Rejects if it could not be looked at. */
export async function ofProcess<Seen>(looking: Promise<Seen>): Promise<Seen | undefined> {
  try {
    return await looking;
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException; // the only errors of a look
    if (NOT_OURS.has(code)) return undefined;
    throw error;
  }
}

function seen(stat: string[] | "unseen" | undefined): string[] | undefined {
  return stat === "unseen" ? undefined : stat;
}
