/*
 * The line between an agent and a keeper it launched: one socket pair. Its end at this side is the
 * agent's death, as the keeper sees it; so nobody else may hold it (Node marks it close-on-exec),
 * and nothing that goes wrong on it may hurt the agent.
 */
import type { ChildProcess } from "node:child_process";
import type { Duplex } from "node:stream";

/** How long a freed keeper may take to answer, in milliseconds. It takes well under one. */
const FREE_TIMEOUT_MS = 2_000;
const LINE_BYTES_MAX = 4096;

export class KeeperLine {
  #freed = false;
  #heard = "";
  #wake: () => void = () => {};
  #ended = false;
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
    child.on("error", () => this.#end()); // the shell could not be started
    child.on("exit", () => this.#end());
  }

  /** The keeper answered that it is free. */
  get freed(): boolean {
    return this.#freed;
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

  /** Throws if the keeper did not answer: then it may be freed or not. */
  async free(): Promise<void> {
    if (this.#freed) return;
    this.#say("free");
    const answered = await this.#until(() => this.#heard.length > 0, FREE_TIMEOUT_MS);
    if (!answered) {
      throw new Error(
        this.#ended
          ? "the keeper was gone before it answered that it is free"
          : `the keeper did not answer within ${FREE_TIMEOUT_MS} ms that it is free`,
      );
    }
    this.#freed = true;
    this.socket.destroy(); // its other end is closed as well
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
