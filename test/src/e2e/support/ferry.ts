/* The command itself, as a person runs it: a process with a hosts file. */
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Hosts } from "../../harness/hosts.js";

const MAIN = fileURLToPath(new URL("../../../../services/ferry/dist/main.js", import.meta.url));

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

/** Writes a hosts file for these hosts, and gives what runs the command with it. */
export function ferryFor(hosts: Hosts): (...args: string[]) => Running {
  const file = join(hosts.dir, "hosts.yaml");
  const addresses = hosts.all.map(({ name, source, destination }) => [
    name,
    { source: source.options.address, destination: destination.options.address },
  ]);
  writeFileSync(file, JSON.stringify({ plaintext: true, hosts: Object.fromEntries(addresses) }));
  return (...args) => start([MAIN, "--hosts", file, ...args]);
}

function start(argv: readonly string[]): Running {
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "pipe"] });
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
