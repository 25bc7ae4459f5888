/* A process of ours on a host of the test: an agent or a controller, with a line to it for orders. */
import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter } from "node:events";
import { closeSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";

export class Child<To extends object | string, From> {
  readonly #process: ChildProcess;
  readonly #news = new EventEmitter<{ said: [] }>();
  /** Everything it said. */
  readonly said: From[] = [];
  /** Its exit code once it has ended; null after a signal. */
  readonly exited: Promise<number | null>;
  alive = true;

  /** `program` is a built file beside this one; `inside` runs a command line on the host. */
  constructor(
    program: string,
    args: readonly string[],
    { inside, logPath }: { inside(argv: readonly string[]): string[]; logPath: string },
  ) {
    const path = fileURLToPath(new URL(program, import.meta.url));
    const [command = "", ...rest] = inside([process.execPath, path, ...args]);
    const log = openSync(logPath, "a");
    // nsenter becomes the program it runs: the child's pid and its line are the program's.
    this.#process = spawn(command, rest, { stdio: ["ignore", log, log, "ipc"] });
    closeSync(log);
    this.#process.on("message", (word) => {
      this.said.push(word as From); // what the program says is its own declared type
      this.#news.emit("said");
    });
    this.#process.on("error", () => {}); // the line broke, or it never was: `exited` tells
    this.exited = new Promise((resolve) => {
      this.#process.once("exit", (code) => {
        this.alive = false;
        resolve(code);
      });
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  tell(word: To): void {
    if (this.alive && this.#process.connected) this.#process.send(word as object, () => {});
  }

  signal(name: NodeJS.Signals): void {
    if (this.alive) this.#process.kill(name);
  }

  async end(name: NodeJS.Signals = "SIGKILL"): Promise<number | null> {
    this.signal(name);
    return this.exited;
  }
}
