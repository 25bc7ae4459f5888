/*
 * The controller of the demonstration: the `ferry` command as a process of its own, so that it can be
 * killed and frozen like anybody's.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { MigrationEvent, Outcome } from "@ferry/client";

const ferry = fileURLToPath(new URL("../../../services/ferry/dist/main.js", import.meta.url));

export interface Order {
  readonly guestId: string;
  readonly from: string;
  readonly to: string;
  readonly migrationId: string;
  readonly options: readonly string[];
}

export class Controller {
  readonly #process: ChildProcess;
  /** Resolves with what became of the guest, as this process heard it; undefined if it did not live to hear it. */
  readonly outcome: Promise<Outcome | undefined>;

  constructor(hostsFile: string, order: Order, seen: (event: MigrationEvent) => void) {
    const { guestId, from, to, migrationId, options } = order;
    const named = ["--from", from, "--to", to, "--id", migrationId];
    const args = [ferry, "--hosts", hostsFile, "migrate", guestId, ...named, ...options, "--json"];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#process = child;
    this.outcome = this.#follow(seen);
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  send(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async #follow(seen: (event: MigrationEvent) => void): Promise<Outcome | undefined> {
    const { stdout } = this.#process;
    if (stdout === null) return undefined;
    const exited = once(this.#process, "exit");
    let outcome: Outcome | undefined;
    for await (const line of createInterface({ input: stdout })) {
      if (!line.startsWith("{")) continue;
      const event = JSON.parse(line) as MigrationEvent; // written by our own command
      if (event.kind === "outcome") outcome = event.outcome;
      seen(event);
    }
    await exited;
    return outcome;
  }
}
