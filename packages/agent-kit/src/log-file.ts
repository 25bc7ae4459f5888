/*
 * Where log lines go. Writing never waits in the event loop, because a log reader that hangs must not
 * delay the answer to somebody's ping; and it never throws, because a reader that is gone or a full
 * disk must not end an agent that holds guests. Lines that cannot be kept are dropped and counted.
 */
import { closeSync, constants, fstatSync, openSync, write, writeSync } from "node:fs";
import { Socket } from "node:net";

/** Bytes that may wait for a reader who does not read. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024;
/** A write that failed (EAGAIN, ENOSPC, EPIPE) is repeated after this time, in milliseconds. */
const AGAIN_MS = 100;
/** How long a process that ends now tries to hand its last lines to a reader who is behind, in milliseconds. */
const LAST_LINES_MS = 200;
const STDOUT = 1;
/** Of a pipe whose reader is stuck: else a thread waits in its write for ever, and `process.exit` for that thread. */
const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

export class LogFile {
  readonly #fd: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #writing = false;
  #dropped = 0;
  #flushed: (() => void)[] = [];

  /** Appends to the file at `path`; undefined: to standard output. */
  constructor(path?: string) {
    this.#fd = path === undefined ? standardOutput() : openSync(path, APPEND, 0o640);
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waitingBytes + bytes.length > WAITING_BYTES_MAX) {
      this.#dropped += 1;
      return;
    }
    if (this.#dropped > 0) this.#tellDropped();
    this.#push(bytes);
    this.#drain();
  }

  /** Resolves when everything is written, or after `withinMs`. */
  flush(withinMs: number): Promise<void> {
    if (this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const late = setTimeout(resolve, withinMs);
      this.#flushed.push(() => {
        clearTimeout(late);
        resolve();
      });
    });
  }

  /** Writes what waits at once, for a process that ends now. */
  flushNow(): void {
    const deadline = performance.now() + LAST_LINES_MS;
    // What is being written already may be written twice: better than not at all.
    let bytes = Buffer.concat(this.#waiting.splice(0));
    while (bytes.length > 0) {
      try {
        bytes = bytes.subarray(writeSync(this.#fd, bytes));
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException; // the only errors of a write
        if (code !== "EAGAIN" || performance.now() > deadline) break; // nobody can be told any more
      }
    }
    this.#waitingBytes = 0;
  }

  close(): void {
    if (this.#fd !== STDOUT) closeSync(this.#fd);
  }

  #push(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  #tellDropped(): void {
    const line = { level: "warn", dropped: this.#dropped, msg: "log lines were dropped" };
    this.#dropped = 0;
    this.#push(Buffer.from(`${JSON.stringify(line)}\n`));
  }

  #drain(): void {
    if (this.#writing) return;
    if (this.#waiting.length === 0) {
      for (const flushed of this.#flushed.splice(0)) flushed();
      return;
    }
    this.#writing = true;
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [bytes];
    write(this.#fd, bytes, (error, written) => {
      this.#writing = false;
      if (this.#waiting[0] === bytes) {
        // Unless `flushNow` took it meanwhile.
        if (written < bytes.length) this.#waiting[0] = bytes.subarray(written);
        else this.#waiting.shift();
        this.#waitingBytes -= written;
      }
      if (error === null) this.#drain();
      else setTimeout(() => this.#drain(), AGAIN_MS).unref();
    });
  }
}

/** Where there is a pipe or a socket, Node makes it one that nobody waits for; it puts that back when it ends. */
function standardOutput(): number {
  const found = fstatSync(STDOUT);
  if (found.isFIFO() || found.isSocket()) {
    new Socket({ fd: STDOUT, readable: false, writable: true }).unref();
  }
  return STDOUT;
}
