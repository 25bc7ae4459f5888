/*
 * How an agent is made to stand still, and its disk to fail, without a line of it knowing: the things
 * it touches the world with are wrapped before it starts. What is shipped has none of this in it; a
 * test holds it to that.
 */
import fs, { type PathLike } from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { basename, dirname } from "node:path";
import { Qmp } from "@ferry/qmp";
import { type Disk, realDisk } from "@ferry/store";
import { ownClock } from "./clocks.js";
import { Journal } from "./power.js";

/** `full` is none of them: that disk is really full. */
export type DiskMode = "good" | "readOnly" | "torn" | "slow";

export type ToAgent =
  | { readonly kind: "hold"; readonly point: string }
  | { readonly kind: "release" }
  | { readonly kind: "disk"; readonly mode: DiskMode }
  /** What it takes for the time of day is so many milliseconds ahead of the right one. */
  | { readonly kind: "clock"; readonly aheadMs: number };

export type FromAgent =
  | { readonly kind: "held"; readonly point: string }
  /** The disk would not take something. */
  | { readonly kind: "refused"; readonly path: string };

/** How long a slow disk takes for each step, in milliseconds. */
const SLOW_MS = 150;

const REFUSALS: ReadonlySet<string> = new Set(["EROFS", "EIO", "ENOSPC"]);
const UUID = /^[0-9a-f]{8}-/;

export interface HooksOptions {
  readonly role: "source" | "destination";
  /** What this agent is to take for the kernel's boot id. */
  readonly bootId: string;
  /** Where the journal of what is not synced lies. */
  readonly shadowDir: string;
  /** On the state directory's disk: where what is not synced yet has another name. */
  readonly savedDir: string;
}

/** Installs them. From now on orders come from the parent process. */
export function installHooks(options: HooksOptions): void {
  const { role, bootId, shadowDir, savedDir } = options;
  let wanted: string | undefined;
  let mode: DiskMode = "good";
  let go: () => void = () => {};
  const stepClock = ownClock();
  process.on("message", (order: ToAgent) => {
    if (order.kind === "hold") wanted = order.point;
    if (order.kind === "disk") mode = order.mode;
    if (order.kind === "clock") stepClock(order.aheadMs);
    if (order.kind === "release") {
      wanted = undefined;
      go();
    }
  });
  process.once("disconnect", () => process.kill(process.pid, "SIGKILL")); // nobody is left to end us
  process.channel?.unref();

  /** Stands still here, once, if this is the place. */
  const at = async (point: string): Promise<void> => {
    if (point !== wanted) return;
    wanted = undefined;
    const released = new Promise<void>((resolve) => {
      go = resolve;
    });
    process.send?.({ kind: "held", point } satisfies FromAgent);
    process.channel?.ref();
    await released;
    process.channel?.unref();
  };

  Object.assign(
    realDisk,
    faultyDisk({ ...realDisk }, at, () => mode, new Journal(shadowDir, savedDir, role)),
  );
  wrapMonitors(at);
  wrapFiles(role, bootId, at);
}

type At = (point: string) => Promise<void>;

function wrapMonitors(at: At): void {
  const { execute } = Qmp.prototype;
  Qmp.prototype.execute = async function (command, ...rest) {
    await at(`before qmp ${command}`);
    const answer = await execute.call(this, command, ...rest);
    await at(`after qmp ${command}`);
    return answer;
  };
  const open = Qmp.open.bind(Qmp);
  Qmp.open = async (path, ...rest) => {
    if (basename(path) === "destination.qmp") await at("open monitor");
    return open(path, ...rest);
  };
}

function wrapFiles(role: string, bootId: string, at: At): void {
  const { open } = promises;
  promises.open = async (
    path: PathLike,
    ...rest: Parameters<typeof open> extends [unknown, ...infer R] ? R : never
  ) => {
    if (role === "source" && basename(String(path)) === "keeper.fifo") await at("before fifo kill");
    return open(path, ...rest);
  };
  const { readFileSync } = fs;
  const read = (path: unknown, ...rest: unknown[]) =>
    path === "/proc/sys/kernel/random/boot_id"
      ? `${bootId}\n`
      : (readFileSync as (...all: unknown[]) => unknown)(path, ...rest);
  fs.readFileSync = read as typeof readFileSync; // same answers for every other path
  syncBuiltinESMExports();
}

function refused(code: "EROFS" | "EIO", path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: the disk of this test refuses ${path}`), {
    code,
    syscall: "write", // as Node.js says of every error that the system told it
  });
}

function faultyDisk(real: Disk, at: At, mode: () => DiskMode, journal: Journal): Partial<Disk> {
  /** Phase of each record that was written beside the one in force. */
  const written = new Map<string, string>();
  /** Phase that is in force in each migration's folder. */
  const phases = new Map<string, string>();
  const refusing = async (path: string, step: () => Promise<void>) => {
    try {
      await step();
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "";
      if (REFUSALS.has(code)) process.send?.({ kind: "refused", path } satisfies FromAgent);
      throw error;
    }
  };
  const before = async (path: string) => {
    if (mode() === "readOnly") throw refused("EROFS", path);
    if (mode() === "slow") await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
  };
  const syncing = async (path: string, sync: () => Promise<void>) => {
    const folder = folderOf(`${path}/.`);
    const point = `sync ${folder} ${phases.get(path)}`;
    await at(`before ${point}`);
    await refusing(path, () => before(path));
    await sync();
    journal.didSync(path);
    await at(`after ${point}`);
  };
  return {
    makeDirectory: (path) =>
      refusing(path, async () => {
        await before(path);
        await real.makeDirectory(path);
      }),
    async writeFile(path, bytes) {
      if (folderOf(path) !== undefined) written.set(path, phaseIn(bytes));
      await refusing(path, async () => {
        await before(path);
        const torn = mode() === "torn";
        await real.writeFile(path, torn ? bytes.subarray(0, bytes.length >> 1) : bytes);
        if (torn) throw refused("EIO", path);
      });
    },
    async rename(from, to) {
      const phase = written.get(from);
      if (phase !== undefined) phases.set(dirname(to), phase);
      const point = phase === undefined ? renaming(from, to) : `${folderOf(to)} ${phase}`;
      await at(`before rename ${point}`);
      await refusing(to, () => before(to));
      journal.willRename(from, to);
      await real.rename(from, to);
      await at(`after rename ${point}`);
    },
    syncDirectory: (path) => syncing(path, () => real.syncDirectory(path)),
    async openDirectory(path) {
      const directory = await real.openDirectory(path);
      return { sync: () => syncing(path, () => directory.sync()), close: () => directory.close() };
    },
    async touch(path, time) {
      await before(path);
      await real.touch(path, time);
    },
    async remove(path) {
      await before(path);
      await real.remove(path);
    },
  };
}

/** "arrival" or "departure" for a file that lies in a migration's folder. */
function folderOf(path: string): string | undefined {
  const folder = dirname(path);
  if (!UUID.test(basename(folder))) return undefined;
  return basename(dirname(folder)).replace(/s$/, "");
}

function phaseIn(bytes: Buffer): string {
  const body = JSON.parse(bytes.toString("utf8").split("\n")[1] ?? "{}") as {
    phase?: string;
    arrival?: { phase?: string };
  };
  return body.arrival?.phase ?? body.phase ?? "";
}

/** "arrival guest" for a landing, "departure departed" for an ending. */
function renaming(from: string, to: string): string {
  const kind = basename(dirname(from)).replace(/s$/, "");
  if (basename(dirname(to)) === "guests" && kind === "arrival") return "arrival guest";
  if (basename(dirname(to)) === "endings" && kind === "ending") {
    const migrations = basename(dirname(dirname(dirname(from)))).replace(/s$/, "");
    return `${migrations} ${basename(from).split(".")[0]}`;
  }
  return "";
}
