/*
 * QEMUs and keepers of this Ferry among all processes of the machine, whoever launched them and
 * whatever became of their records. A path in a command line proves little (another Ferry may use
 * the same one in another container), so a process is ours only if it holds the very FIFO of its run
 * directory: QEMU as its standard input, the keeper for its orders.
 */
import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { identifyAny, ofProcess, type ProcessIdentity, stateOf } from "./identity.js";
import { fifoPath } from "./run-directory.js";

/** Descriptors of keeper.sh: the line to its agent until it is freed, and its orders. */
const KEEPER_LINE = 3;
const KEEPER_ORDERS = 4;
const QEMU_INPUT = 0;

/** Name of a guest's run directory. */
const SHORT_ID = /^[0-9a-f]{15}$/;
const KEEPER_SCRIPT = /^keeper-[0-9a-f]{16}\.sh$/;
const MONITOR = /^socket,id=monitor-[^,]+,path=(.+),server=on,wait=off$/;

export interface OurQemu {
  readonly kind: "qemu";
  readonly name: string;
  readonly identity: ProcessIdentity;
  /** False: its run directory was removed, or replaced by another one of that name. */
  readonly atHome: boolean;
}

export interface OurKeeper {
  readonly kind: "keeper";
  readonly name: string;
  readonly identity: ProcessIdentity;
  /** `starting`: it has not opened its FIFO yet, or was never proved to be ours. */
  readonly phase: "starting" | "unfreed" | "freed";
}

export function isShortId(name: string): boolean {
  return SHORT_ID.test(name);
}

/** Every living QEMU and keeper whose run directory is, or was, one under `root`. */
export async function findProcesses(root: string): Promise<(OurQemu | OurKeeper)[]> {
  const pids = (await readdir("/proc")).filter((name) => /^[0-9]+$/.test(name));
  const found: (OurQemu | OurKeeper)[] = [];
  for (const pid of pids) {
    const ours = await look(Number(pid), root);
    if (ours !== undefined) found.push(ours);
  }
  return found;
}

async function look(pid: number, root: string): Promise<OurQemu | OurKeeper | undefined> {
  const identity = identifyAny(pid)?.identity;
  const argv = await commandLineOf(pid);
  if (identity === undefined || argv === undefined) return undefined;
  const runDir = runDirOfQemu(argv) ?? runDirOfKeeper(argv);
  if (runDir === undefined || dirname(runDir) !== root || !isShortId(basename(runDir))) {
    return undefined;
  }
  const name = basename(runDir);
  const ours: OurQemu | OurKeeper | undefined =
    runDirOfQemu(argv) === undefined
      ? { kind: "keeper", name, identity, phase: await keeperPhase(pid, runDir) }
      : await qemuOf(identity, name, runDir);
  // All of the above was of one process only if it is still the same.
  return stateOf(identity) === "lives" ? ours : undefined;
}

async function qemuOf(
  identity: ProcessIdentity,
  name: string,
  runDir: string,
): Promise<OurQemu | undefined> {
  const holds = await holding(identity.pid, QEMU_INPUT, runDir);
  return holds === "nothing"
    ? undefined
    : { kind: "qemu", name, identity, atHome: holds === "fifo" };
}

/** A shell that is about to become QEMU looks like its keeper: then two of them are found. */
async function keeperPhase(pid: number, runDir: string): Promise<OurKeeper["phase"]> {
  if ((await holding(pid, KEEPER_ORDERS, runDir)) === "nothing") return "starting";
  const line = await readlink(`/proc/${pid}/fd/${KEEPER_LINE}`).catch(() => undefined);
  return line === undefined ? "freed" : "unfreed";
}

/** Whether a descriptor is the run directory's FIFO, or the one of a run directory that is gone. */
async function holding(
  pid: number,
  descriptor: number,
  runDir: string,
): Promise<"fifo" | "removed" | "nothing"> {
  const path = `/proc/${pid}/fd/${descriptor}`;
  const [held, there] = await Promise.all([
    ofProcess(stat(path)),
    stat(fifoPath(runDir)).catch(() => undefined),
  ]);
  if (held === undefined) return "nothing"; // it ended meanwhile, or is another user's: then not ours
  if (there !== undefined && held.dev === there.dev && held.ino === there.ino) return "fifo";
  const name = await ofProcess(readlink(path));
  return name === `${fifoPath(runDir)} (deleted)` ? "removed" : "nothing";
}

/** As `commandLine` writes it. A program that wraps QEMU has another first argument. */
function runDirOfQemu(argv: readonly string[]): string | undefined {
  if (argv[1] !== "-nodefaults") return undefined;
  const monitors = argv.flatMap((value, index) =>
    argv[index - 1] === "-chardev" ? [MONITOR.exec(value)?.[1]?.replaceAll(",,", ",")] : [],
  );
  const monitor = monitors.find((path) => path !== undefined);
  return monitor === undefined ? undefined : dirname(monitor);
}

/** SHELL [ARGUMENT] …/keeper-HASH.sh RUN_DIRECTORY BINARY … */
function runDirOfKeeper(argv: readonly string[]): string | undefined {
  const at = argv.slice(0, 3).findIndex((value) => KEEPER_SCRIPT.test(basename(value)));
  return at > 0 ? argv[at + 1] : undefined;
}

/** Undefined if it is gone, or has none: a zombie, the kernel's own. */
async function commandLineOf(pid: number): Promise<string[] | undefined> {
  const text = await ofProcess(readFile(`/proc/${pid}/cmdline`, "utf8"));
  return text === undefined || text === "" ? undefined : text.split("\0");
}
