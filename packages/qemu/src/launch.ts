/*
 * Launching a QEMU: a run directory with a log, cgroups of its own, and a keeper that is QEMU's
 * parent. It answers as soon as QEMU exists, not when it is ready: a guest that is cut while it
 * starts must die at once. Until it is freed, it dies with this process.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { open } from "node:fs/promises";
import type { Duplex } from "node:stream";
import { type CgroupPlacement, makeCgroups, removeCgroups } from "./cgroup.js";
import { identify } from "./identity.js";
import { type Keeper, Kept } from "./keeper.js";
import { KeeperLine } from "./keeper-line.js";
import { keeperShell } from "./keeper-script.js";
import { deathOf, logTail, readLastWord } from "./last-word.js";
import { writeProcesses } from "./processes.js";
import { checkRunDirectory, logPath } from "./run-directory.js";

/** How long a keeper may take to start QEMU: a few milliseconds, and more on a machine that swaps. */
const START_TIMEOUT_MS = 10_000;
/** What QEMU gets of an environment: nothing of the agent's, where secrets might be. */
const ENVIRONMENT = { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" };

export interface LaunchOptions {
  /** Made by `makeRunDirectory`, used by nobody else. */
  readonly runDir: string;
  /** Absolute path of QEMU. */
  readonly binary: string;
  /** What `installKeeper` answered. */
  readonly keeperPath: string;
  readonly cgroups: CgroupPlacement;
  /** QEMU's arguments; no shell reads them. */
  readonly argv: readonly string[];
}

/** Starts QEMU under a keeper. Throws, with nothing left running, if the keeper could not start it. */
export async function launchQemu(options: LaunchOptions): Promise<Keeper> {
  const { runDir, cgroups } = options;
  checkRunDirectory(runDir);
  await makeCgroups(cgroups, runDir);
  const line = await startKeeper(options);
  const said = await line.firstLine(START_TIMEOUT_MS);
  const keeperPid = line.child.pid ?? 0;
  const [, qemuPid] = /^started ([0-9]+)$/.exec(said ?? "") ?? [];
  const keeper = identify(keeperPid, process.pid);
  const qemu = identify(Number(qemuPid ?? 0), keeperPid);
  if (keeper === undefined || qemu === undefined) throw await failure(line, runDir, said);
  const kept = new Kept({ runDir, keeper, qemu, line });
  try {
    await writeProcesses(runDir, { keeper, qemu });
  } catch (error) {
    await kept.kill();
    throw error;
  }
  return kept;
}

async function startKeeper({
  runDir,
  binary,
  keeperPath,
  argv,
}: LaunchOptions): Promise<KeeperLine> {
  const [shell, ...shellArguments] = keeperShell();
  const log = await open(logPath(runDir), "a", 0o600);
  try {
    const child: ChildProcess = spawn(
      shell,
      [...shellArguments, keeperPath, runDir, binary, ...argv],
      {
        detached: true, // a session of its own: no terminal's signals, and it outlives us
        cwd: "/",
        env: ENVIRONMENT,
        stdio: ["ignore", log.fd, log.fd, "pipe"],
      },
    );
    // Without descriptors left there are no pipes, whatever Node's types say, and its error is still to come.
    if (child.stdio === undefined) throw await notStarted(child);
    // Neither may keep a process alive that has nothing else to do.
    child.unref();
    const socket = child.stdio[3] as Duplex & { unref(): void }; // "pipe" is a socket both ways
    socket.unref();
    return new KeeperLine(child, socket);
  } finally {
    await log.close();
  }
}

/** The error of a process that never was: unheard, it would end the agent. */
async function notStarted(child: ChildProcess): Promise<Error> {
  const [error] = (await once(child, "error")) as [Error];
  return new Error(
    `QEMU was not launched: ${error.message}. Give the agent more descriptors (LimitNOFILE, ulimit -n)`,
    { cause: error },
  );
}

/** Ends what was begun, and says what is known. */
async function failure(line: KeeperLine, runDir: string, said: string | undefined): Promise<Error> {
  const ended = new Promise<void>((resolve) => line.onEnd(resolve));
  line.reap(); // a QEMU that was started and is not there any more is waited for
  line.close(); // whatever else was started dies with its line
  await ended;
  await removeCgroups(runDir);
  const word = readLastWord(runDir);
  if (word !== undefined) return new Error(deathOf(word, runDir).summary);
  const [, refusal] = /^refused (.*)$/.exec(said ?? "") ?? [];
  const tail = logTail(runDir);
  const why = line.notStarted === "" ? "" : ` (${line.notStarted})`; // EAGAIN: no process is left
  return new Error(
    `QEMU was not launched: ${refusal ?? `its keeper did not start${why}`}${tail === "" ? "" : `; it wrote: ${tail}`}`,
  );
}
