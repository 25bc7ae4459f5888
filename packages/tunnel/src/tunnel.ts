/*
 * The agent's side of a pump: a process of its own for each tunnelled migration, since moving hundreds of
 * megabytes per second through the agent's event loop would delay its answers to pings, and a late
 * answer there kills somebody's guest. The pump's standard input is its leash: when it ends, because the
 * agent stops the tunnel or dies, the pump exits and both QEMUs see their streams break.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { flaw, type Settings, type Word } from "./settings.js";

export interface Tunnel {
  /** The pump's process. */
  readonly pid: number;
  /** accept: the port on which the other pump is awaited. dial: the port that was dialled. */
  readonly port: number;
  /** Ends the pump if it still runs. Resolves when the process is gone; harmless to repeat. */
  stop(): Promise<void>;
  /** Resolves, never rejects, when the process is gone. */
  readonly ended: Promise<{ readonly reason: string }>;
}

/** A pump that has not said `ready` by then is ended: it dials another host, which may be silent. */
const READY_TIMEOUT_MS = 15_000;
/** How long a pump may take to notice the end of its leash before it is killed. */
const STOP_GRACE_MS = 1_000;
/** How much of what Node says when it breaks down is kept for the reason. */
const STDERR_KEPT_CHARACTERS = 1_000;

/**
 * Every message is garbage once it is written. V8's helper threads spend more on tidying it up than they save: one
 * thread was measured to need half of the processor time, and to be half as fast again.
 */
const V8 = ["--single-threaded-gc", "--max-old-space-size=64"];

const PUMP = fileURLToPath(new URL("./pump.js", import.meta.url));

/**
 * Starts a pump. accept: resolves when it listens. dial: resolves when the other pump has let it in and QEMU
 * may connect to `listenPath`.
 * @throws Error saying why not, with the pump gone
 */
export async function startTunnel(settings: Settings): Promise<Tunnel> {
  const wrong = flaw(settings);
  if (wrong !== undefined) throw new Error(wrong);
  const pump = spawn(
    process.execPath,
    // The role and the migration are there for whoever reads `ps`; the pump does not look at them.
    [...V8, PUMP, settings.role, settings.migrationId],
    // An empty environment: no proxy, no tracing and no options may be slipped to it.
    { stdio: ["pipe", "pipe", "pipe"], env: {} },
  );
  const news = listenTo(pump);
  const ended = news.ended.then(async (reason) => {
    // A killed pump leaves its socket behind. If it cannot be removed, the next pump will say so.
    if (settings.role === "dial") await rm(settings.listenPath, { force: true }).catch(() => {});
    return { reason };
  });
  // The pump may be gone before it has read a word: an unhandled EPIPE would end the agent.
  for (const pipe of [pump.stdin, pump.stderr]) pipe?.on("error", () => {});
  pump.stdin?.write(`${JSON.stringify(settings)}\n`);

  const stop = async () => {
    news.explain("stopped by its agent");
    pump.stdin?.end();
    const killing = setTimeout(() => pump.kill("SIGKILL"), STOP_GRACE_MS);
    await ended;
    clearTimeout(killing);
  };
  const tooLate = setTimeout(() => {
    news.explain(`the other end did not answer within ${READY_TIMEOUT_MS / 1000} s`);
    void stop();
  }, READY_TIMEOUT_MS);
  const first = await Promise.race([news.ready, ended]);
  clearTimeout(tooLate);
  if ("reason" in first) throw new Error(`the tunnel could not be opened: ${first.reason}`);
  const { pid } = pump;
  if (pid === undefined) throw new Error("a process that spoke has a pid");
  return { pid, port: first.port, stop, ended };
}

/**
 * The pump's words, and how it ended: by its own account, or by ours (`explain`: the first reason counts), or by
 * what is left to be seen.
 */
function listenTo(pump: ChildProcess) {
  let lastWord: string | undefined;
  let explanation: string | undefined;
  let complaint = "";
  const ready = new Promise<{ port: number }>((resolve) => {
    // Without descriptors left there are no pipes, whatever Node's types say; its error is heard below.
    if (!pump.stdout) return;
    const lines = createInterface({ input: pump.stdout });
    lines.on("error", () => {}); // readline passes on the pipe's error, which would end the agent
    lines.on("line", (line) => {
      const word = JSON.parse(line) as Word; // written by this package's pump.ts
      if (word.word === "ready") resolve({ port: word.port });
      else lastWord = word.reason;
    });
  });
  pump.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-STDERR_KEPT_CHARACTERS);
  });
  const ended = new Promise<string>((resolve) => {
    pump.on("error", (error) => resolve(`the pump could not be started: ${error.message}`));
    pump.on("close", (code, signal) => {
      const seen = signal === null ? `exit code ${code}` : signal;
      const guess = `the pump ended without a word (${seen}) ${complaint}`.trim();
      resolve(lastWord ?? explanation ?? guess);
    });
  });
  const explain = (reason: string) => {
    explanation ??= reason;
  };
  return { ready, ended, explain };
}
