/*
 * Opening a monitor. A QEMU that was just started has no socket yet, or one that nobody answers:
 * so it is tried again until it greets, and what was tried is told when it never does.
 */
import { existsSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { QmpLost, QmpRubbish } from "./errors.js";
import { Qmp } from "./qmp.js";
import { SHORT } from "./short.js";

/** A socket that is not there yet is looked for again at first after this time, which costs next to nothing. */
const LOOK_AGAIN_MS = 2;
/** At last after this time; in between after a twentieth of what was waited. */
const LOOK_AGAIN_MAX_MS = 50;
/** One that does not let us in yet is tried again after this time. */
const TRY_AGAIN_MS = 10;
/** The kernel's limit on a socket's path (sun_path), less its closing NUL, in bytes. */
const PATH_BYTES_MAX = 107;
/**
 * What a socket says whose QEMU is still starting, or is going, and what this process hears that has no descriptor
 * left just now. Anything else will not mend itself.
 */
const PASSING: ReadonlySet<string> = new Set(["ENOENT", "ECONNREFUSED", "ECONNRESET", ...SHORT]);

export interface ConnectOptions {
  /** How long QEMU may take until it greets, in milliseconds. */
  readonly timeoutMs: number;
  /** Gives up early, e.g. because QEMU is known to be dead. */
  readonly signal?: AbortSignal;
  /** False: an idle monitor does not keep this process alive. A command on its way always does. */
  readonly idleHoldsProcess?: boolean;
}

/** Opens the QMP monitor on the unix socket `path`. Throws QmpLost that says what was tried. */
export async function connect(path: string, options: ConnectOptions): Promise<Qmp> {
  const { timeoutMs, idleHoldsProcess = true } = options;
  const bytes = Buffer.byteLength(path);
  if (bytes > PATH_BYTES_MAX) {
    throw new QmpLost(
      `the monitor's path has ${bytes} bytes and the kernel takes ${PATH_BYTES_MAX}: choose a shorter run directory (${path})`,
    );
  }
  const deadline = AbortSignal.timeout(timeoutMs);
  const signal = options.signal ? AbortSignal.any([deadline, options.signal]) : deadline;
  const startedAt = performance.now();
  let tries = 0;
  let last = "nothing was tried";
  const after = (ms: number) => wait(ms, undefined, { signal }).catch(() => {}); // the loop's condition tells
  while (!signal.aborted) {
    if (!existsSync(path)) {
      last = "there is no such socket (ENOENT)";
      const waitedMs = performance.now() - startedAt;
      await after(Math.min(LOOK_AGAIN_MAX_MS, Math.max(LOOK_AGAIN_MS, waitedMs / 20)));
      continue;
    }
    tries += 1;
    try {
      return await attempt(path, signal, idleHoldsProcess);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      last = error.message;
      if (!signal.aborted && !passes(error))
        throw new QmpLost(`no monitor at ${path}: ${last}`, { cause: error });
    }
    await after(TRY_AGAIN_MS);
  }
  const given = options.signal?.aborted ? "given up by the caller" : `not within ${timeoutMs} ms`;
  throw new QmpLost(`no monitor at ${path}: ${given}, tries: ${tries}, the last one: ${last}`);
}

/**
 * Opens QMP on a socket that is connected already, such as one handed to QEMU when it was started.
 * `name` is for error messages.
 */
export async function connectOn(
  socket: Socket,
  { name, timeoutMs }: { readonly name: string; readonly timeoutMs: number },
): Promise<Qmp> {
  socket.on("error", () => {}); // told by `open`; without any listener it would end this process
  const timer = setTimeout(
    () => socket.destroy(new Error(`no greeting within ${timeoutMs} ms`)),
    timeoutMs,
  );
  try {
    return await Qmp.open(name, socket, true);
  } finally {
    clearTimeout(timer);
  }
}

async function attempt(path: string, signal: AbortSignal, idleHoldsProcess: boolean): Promise<Qmp> {
  const socket = createConnection({ path });
  socket.on("error", () => {}); // told below; without any listener it would end this process
  const giveUp = () => {
    const why = socket.connecting
      ? "not connected yet"
      : "connected, but QEMU does not greet (stuck, or another client has this monitor)";
    socket.destroy(new Error(why));
  };
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    await connected(socket);
    return await Qmp.open(path, socket, idleHoldsProcess);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve();
    });
  });
}

/** A QEMU that hangs up before it greets may only have been busy with its last client's end. */
function passes(error: Error): boolean {
  if (error instanceof QmpLost) return !(error.cause instanceof QmpRubbish);
  return "code" in error && typeof error.code === "string" && PASSING.has(error.code);
}
