/*
 * A disk that can lose its power. A rename is durable once the directory that holds the new name was
 * synced; until then this journal can take it back. It lies outside of the state directory and is
 * written before each step, so whoever kills the agent can read it.
 *
 * What it does not lose: contents of files (the agents sync those before they rename), and removals.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

interface Step {
  /** Nanoseconds of the machine's clock: steps of two agents are taken back in their order. */
  readonly at: string;
  readonly from: string;
  readonly to: string;
  /** Copy of what `to` held before; undefined if nothing was there. */
  readonly saved: string | undefined;
}

export class Journal {
  #steps: Step[] = [];
  #number = 0;

  constructor(
    readonly dir: string,
    readonly role: string,
  ) {
    mkdirSync(dir, { recursive: true });
    this.#write(); // the steps of an agent that only crashed reached the disk
  }

  willRename(from: string, to: string): void {
    this.#number += 1;
    let saved: string | undefined;
    if (existsSync(to) && statSync(to).isFile()) {
      saved = join(this.dir, `${this.role}-${process.pid}-${this.#number}`);
      copyFileSync(to, saved);
    }
    this.#steps.push({ at: process.hrtime.bigint().toString(), from, to, saved });
    this.#write();
  }

  didSync(directory: string): void {
    this.#steps = this.#steps.filter(({ to }) => dirname(to) !== directory);
    this.#write();
  }

  #write(): void {
    // Replaced, and not written over: whoever kills the agent must not find half of it.
    const path = join(this.dir, `${this.role}.json`);
    writeFileSync(`${path}.new`, JSON.stringify(this.#steps));
    renameSync(`${path}.new`, path);
  }
}

/** Takes back what was not synced. The agents of that host are dead. Answers how many steps that were. */
export function losePower(dir: string): number {
  const steps: Step[] = ["source", "destination"].flatMap((role) => {
    const path = join(dir, `${role}.json`);
    return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Step[]) : [];
  });
  steps.sort((a, b) => (BigInt(a.at) > BigInt(b.at) ? -1 : 1));
  for (const { from, to, saved } of steps) {
    if (existsSync(to) && existsSync(dirname(from))) renameSync(to, from);
    if (saved !== undefined && existsSync(dirname(to))) copyFileSync(saved, to); // its folder may have moved on
  }
  for (const role of ["source", "destination"]) writeFileSync(join(dir, `${role}.json`), "[]");
  return steps.length;
}
