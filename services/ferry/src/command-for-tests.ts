/* For tests: the command itself, as a process, and what it says. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The command, built. */
export const MAIN = fileURLToPath(new URL("./main.js", import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly done: Promise<Ran>;
  /** Resolves once stdout or stderr has said so; rejects if it ended without. */
  says(text: string): Promise<void>;
}

export interface StartOptions {
  readonly cwd?: string;
  /** All of its environment; by default this process's own. */
  readonly env?: NodeJS.ProcessEnv;
  /** By default nothing. Undefined: it stays open. */
  readonly stdin?: string | undefined;
}

/** Starts `ferry` with these arguments. Whoever starts it ends it. */
export function startFerry(
  args: readonly string[],
  { cwd, env, ...input }: StartOptions = {},
): Running {
  const child = spawn(process.execPath, [MAIN, ...args], {
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
  });
  let out = "";
  let err = "";
  const waiting = new Set<() => void>();
  const hear = () => {
    for (const look of waiting) look();
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    hear();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
    hear();
  });
  child.stdin.on("error", () => {}); // it may have ended without reading
  const { stdin } = { stdin: "", ...input };
  if (stdin !== undefined) child.stdin.end(stdin);
  const done = new Promise<Ran>((resolve) => {
    child.on("close", (code) => resolve({ code, out, err }));
  });
  const says = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (!(out + err).includes(text)) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
      void done.then(() => reject(new Error(`it never said ${text}:\n${out}${err}`)));
    });
  return { child, done, says };
}
