/*
 * The line between an agent and a keeper it launched: one socket pair. Its end at this side is the
 * agent's death, as the keeper sees it; so nobody else may hold it (Node marks it close-on-exec),
 * and nothing that goes wrong on it may hurt the agent.
 */
import type { ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import type { Duplex } from "node:stream";

const LINE_BYTES_MAX = 4096;

export class KeeperLine {
  #freed = false;
  #heard = "";
  #wake: () => void = () => {};
  #ended = false;
  #notStarted = "";
  readonly #listeners: (() => void)[] = [];

  constructor(
    readonly child: ChildProcess,
    private readonly socket: Duplex,
  ) {
    // A broken pipe to one keeper is that keeper's trouble: unheard, it would end every tether.
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      if (this.#heard.length < LINE_BYTES_MAX) this.#heard += chunk.toString("latin1");
      this.#wake();
    });
    child.on("error", ({ message }) => {
      this.#notStarted = message;
      this.#end();
    });
    child.on("exit", () => this.#end());
  }

  /** From here on no agent's death kills the guest. */
  get freed(): boolean {
    return this.#freed;
  }

  /** Why its shell could not be started, in the system's words; "" if it was. */
  get notStarted(): string {
    return this.#notStarted;
  }

  /** Called once the keeper has ended. */
  onEnd(listener: () => void): void {
    this.#listeners.push(listener);
    if (this.#ended) listener();
  }

  /** The keeper's first line, or undefined if it ended without one or took too long. */
  async firstLine(timeoutMs: number): Promise<string | undefined> {
    const complete = await this.#until(() => this.#heard.includes("\n"), timeoutMs);
    if (!complete) return undefined;
    const end = this.#heard.indexOf("\n");
    const line = this.#heard.slice(0, end);
    this.#heard = this.#heard.slice(end + 1);
    return line;
  }

  /**
   * Frees the keeper and hangs up. It is free as soon as the file is there, whether it is looking or
   * not: it looks when this line ends, and that is never before. Throws if it is gone, or if the file
   * cannot be made.
   */
  free(freedPath: string): void {
    if (this.#freed) return;
    if (this.#ended) throw new Error("the keeper was gone before it was freed");
    // Synchronous: one file on a tmpfs, in the middle of a blackout.
    writeFileSync(freedPath, "");
    this.#freed = true;
    setImmediate(() => this.socket.destroy()); // the keeper has all the time it wants
  }

  /** QEMU is a zombie: the keeper must wait for it. */
  reap(): void {
    this.#say("reap");
  }

  /** False if the keeper does not listen on this line any more. */
  kill(): boolean {
    if (this.#freed || this.#ended) return false;
    this.#say("kill");
    return true;
  }

  /** Hangs up: a keeper that was not freed kills. */
  close(): void {
    this.socket.destroy();
  }

  #say(word: string): void {
    if (!this.#freed && this.socket.writable) this.socket.write(`${word}\n`);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#wake();
    for (const listener of this.#listeners) listener();
  }

  /** False once the keeper has ended, or after the time. */
  #until(condition: () => boolean, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (met: boolean) => {
        clearTimeout(timer);
        this.#wake = () => {};
        resolve(met);
      };
      const timer = setTimeout(() => done(false), timeoutMs);
      this.#wake = () => {
        if (condition()) done(true);
        else if (this.#ended) done(false);
      };
      this.#wake();
    });
  }
}
