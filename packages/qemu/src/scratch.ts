/*
 * A QEMU that is only asked, and gone when the asking is over. Its monitor is a socket pair it
 * inherits, so nothing is written to any disk and nobody else can get at it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { connectOn, isShort, type Qmp } from "@ferry/qmp";

/** How long it may take until it answers, in milliseconds. Measured: 30 to 350. */
const READY_TIMEOUT_MS = 10_000;
/** How long one that hung up may take to end, in milliseconds. */
const ENDING_TIMEOUT_MS = 1_000;
/** How much of what it complained about is kept, in characters. */
const COMPLAINT_LENGTH_MAX = 1_000;

const HINT = "Install qemu-system-x86, or name a QEMU for x86_64 in qemu.binary";

/** Part of util-linux; it becomes the program it starts. */
const SETPRIV = "/usr/bin/setpriv";

/**
 * The same program, which the kernel ends if this process dies while it asks: QEMU does not mind that its
 * monitor hangs up, and nobody would ever look for it. Where it cannot be had so, as it is.
 */
function tied(binary: string, args: readonly string[]): [string, readonly string[]] {
  try {
    for (const path of [SETPRIV, binary]) accessSync(path, constants.X_OK);
  } catch {
    return [binary, args]; // if it is QEMU that is missing, starting it says so best
  }
  return [SETPRIV, ["--pdeathsig", "KILL", "--", binary, ...args]];
}

/** Starts `binary` with `args`, its guest never running, and kills and reaps it when `use` is over. */
export async function withScratchQemu<T>(
  binary: string,
  args: readonly string[],
  use: (qmp: Qmp) => Promise<T>,
): Promise<T> {
  const quiet = ["-nodefaults", "-no-user-config", "-display", "none", "-S"];
  const monitor = ["-chardev", "socket,id=asked,fd=3", "-mon", "chardev=asked,mode=control"];
  const child = new Child(binary, [...args, ...quiet, ...monitor]);
  try {
    const qmp = await child.monitor();
    try {
      return await use(qmp);
    } finally {
      qmp.close();
    }
  } finally {
    await child.reap();
  }
}

/** The descriptor under which a child has what it was lent. */
export const LENT_FD = 4;

/** A child process that is heard complaining, and that is always reaped. */
export class Child {
  readonly #process: ChildProcess;
  /** How it ended, in words; resolves even if it never was. */
  readonly ended: Promise<{
    readonly code: number | null;
    readonly text: string;
    /** Set if it never was because this process has no descriptor or no process left, which says nothing of it. */
    readonly short?: Error;
  }>;
  #complaint = "";

  constructor(
    readonly binary: string,
    args: readonly string[],
    lentFd?: number,
  ) {
    const [program, programArgs] = tied(binary, args);
    const lent = lentFd === undefined ? [] : [lentFd];
    this.#process = spawn(program, programArgs, {
      stdio: ["ignore", "ignore", "pipe", "pipe", ...lent],
    });
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#complaint = (this.#complaint + text).slice(-COMPLAINT_LENGTH_MAX);
    });
    const failed = once(this.#process, "error").then(([error]) => ({
      code: null,
      text: whyNotStarted(binary, error),
      ...(isShort(error) ? { short: error } : {}),
    }));
    // `close`, not `exit`: only then is everything read that it had to say.
    const closed = once(this.#process, "close").then(([code, signal]) => ({
      code: typeof code === "number" ? code : null,
      text: `${binary} ended with ${signal ?? `exit code ${code}`}${this.#said()}`,
    }));
    closed.catch(() => {}); // `once` rejects on the "error" that `failed` tells of
    this.ended = Promise.race([failed, closed.catch(() => failed)]);
  }

  async monitor(): Promise<Qmp> {
    const socket = this.#process.stdio?.[3]; // without descriptors left there are none
    if (this.#process.pid === undefined || !(socket instanceof Socket)) {
      const { text, short } = await this.ended;
      throw short ?? new Error(text);
    }
    try {
      return await connectOn(socket, { name: this.binary, timeoutMs: READY_TIMEOUT_MS });
    } catch (cause) {
      // One that hung up is ending, and tells why; one that is silent would never end.
      const end = await Promise.race([
        this.ended,
        wait(ENDING_TIMEOUT_MS, undefined, { ref: false }),
      ]);
      const what = end?.text ?? `${this.binary} does not answer as a QEMU`;
      throw new Error(`${what}. ${HINT}`, { cause });
    }
  }

  /** Kills it unless it is gone already, and waits until the kernel has let it go. */
  async reap(): Promise<void> {
    this.#process.kill("SIGKILL"); // the handle, not a number: it cannot hit anybody else
    await this.ended;
  }

  #said(): string {
    const complaint = this.#complaint.trim();
    return complaint === "" ? "" : ` and said: ${complaint}`;
  }
}

function whyNotStarted(binary: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") {
    return `there is no ${binary}. ${HINT}`;
  }
  if (code === "EACCES") return `${binary} is not executable by this user. ${HINT}`;
  const text = error instanceof Error ? error.message : String(error);
  return `${binary} cannot be started: ${text}. ${HINT}`;
}
