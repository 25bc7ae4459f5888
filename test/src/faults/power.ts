/*
 * A disk that can lose its power. A rename is durable once the directory that holds the new name was
 * synced; until then this journal can take it back. It lies outside of the state directory and is
 * written before each step, so whoever kills the agent can read it. It opens nothing once it is there: an
 * agent that has no descriptor left can still rename.
 *
 * What it does not lose: contents of files (the agents sync those before they rename), and removals.
 */
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";

interface Step {
  /** Nanoseconds of the machine's clock: steps of two agents are taken back in their order. */
  readonly at: string;
  readonly from: string;
  readonly to: string;
  /** Another name of what `to` was before; undefined if nothing was there. */
  readonly saved: string | undefined;
}

export class Journal {
  #steps: Step[] = [];
  #number = 0;
  readonly #file: number;

  /** `savedDir` is on the disk itself, since it has other names of files there. */
  constructor(
    dir: string,
    readonly savedDir: string,
    readonly role: string,
  ) {
    for (const each of [dir, savedDir]) mkdirSync(each, { recursive: true });
    // The steps of an agent that only crashed reached the disk.
    for (const name of readdirSync(savedDir)) {
      if (name.startsWith(`${role}-`)) rmSync(join(savedDir, name));
    }
    this.#file = openSync(pathOf(dir, role), "w");
  }

  willRename(from: string, to: string): void {
    this.#number += 1;
    let saved: string | undefined;
    if (existsSync(to) && statSync(to).isFile()) {
      saved = join(this.savedDir, `${this.role}-${process.pid}-${this.#number}`);
      linkSync(to, saved);
    }
    this.#steps.push({ at: process.hrtime.bigint().toString(), from, to, saved });
    this.#write();
  }

  didSync(directory: string): void {
    const synced = this.#steps.filter(({ to }) => dirname(to) === directory);
    if (synced.length === 0) return;
    this.#steps = this.#steps.filter((step) => !synced.includes(step));
    this.#write();
    for (const { saved } of synced) if (saved !== undefined) rmSync(saved, { force: true });
  }

  #write(): void {
    // A line more, and not written over: whoever kills the agent finds the one before, or this one.
    writeSync(this.#file, `${JSON.stringify(this.#steps)}\n`);
  }
}

const pathOf = (dir: string, role: string) => join(dir, `${role}.jsonl`);

/** The last whole line of its journal. */
function stepsOf(dir: string, role: string): Step[] {
  const path = pathOf(dir, role);
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return JSON.parse(lines.at(-1) ?? "[]") as Step[]; // written by a journal
}

/** Takes back what was not synced. The agents of that host are dead. Answers how many steps that were. */
export function losePower(dir: string): number {
  const roles = ["source", "destination"];
  const steps = roles.flatMap((role) => stepsOf(dir, role));
  steps.sort((a, b) => (BigInt(a.at) > BigInt(b.at) ? -1 : 1));
  for (const { from, to, saved } of steps) {
    if (existsSync(to) && existsSync(dirname(from))) renameSync(to, from);
    if (saved !== undefined && existsSync(dirname(to))) copyFileSync(saved, to); // its folder may have moved on
  }
  for (const role of roles) writeFileSync(pathOf(dir, role), "");
  return steps.length;
}
