/* The parent's end of tether-holder.ts. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { PrepareOpen } from "@ferry/contract";
import { until } from "../../harness/until.js";
import type { Steps } from "./steps.js";
import type { Order, Told } from "./tether-holder.js";

const PROGRAM = fileURLToPath(new URL("./tether-holder.js", import.meta.url));

/** A controller's process that holds tethers. */
export class Holder {
  readonly #process: ChildProcess = fork(PROGRAM, {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  readonly #told: Told[] = [];
  readonly #exited: Promise<void>;

  constructor() {
    this.#process.on("message", (told: Told) => void this.#told.push(told));
    this.#exited = new Promise((resolve) => this.#process.once("exit", () => resolve()));
  }

  /** `through`: the address to dial, if it is not the agent's own. */
  prepare(steps: Steps, change: Partial<PrepareOpen> = {}, through?: string): void {
    const open = Buffer.from(PrepareOpen.encode(steps.opening(change)).finish());
    const order: Order = {
      address: through ?? steps.to.client.destination.address,
      open: open.toString("base64"),
    };
    this.#process.send(order);
  }

  /** Waits until that migration was prepared. */
  async ready({ migrationId }: Steps): Promise<void> {
    await until("the holder's guest to be prepared", () => {
      const told = this.#told.find((each) => each.migrationId === migrationId);
      if (told?.what === "ended") throw new Error(`the holder's tether ended: ${told.words}`);
      return told !== undefined;
    });
  }

  async kill9(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#exited;
  }

  freeze(): void {
    this.#process.kill("SIGSTOP");
  }

  /** Ends it, frozen or not. */
  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    await this.kill9();
  }
}
