/*
 * The audit log: what a person or a tether's cut decided about somebody's guest. One JSON line each,
 * carrying the hash of the line before, so that a line that is changed or taken out is found out: by
 * `check`, and by whoever reads it. What nobody can find out is that the log ends early, if it was cut
 * while no agent ran. Synced before anybody acts on it. Each agent of a host writes a file of its own.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { join } from "node:path";
import { StoreCorrupt, writing } from "./errors.js";

/** The hash before the first line. */
const GENESIS = "0".repeat(64);

export interface AuditEntry {
  /** What was done, e.g. "override" or "autokill". */
  readonly what: string;
  /** Who ordered it: the name in a certificate, or "tether". */
  readonly who: string;
  readonly migrationId: string;
  readonly guestId: string;
  readonly reason: string;
}

interface Line extends AuditEntry {
  /** ISO 8601. */
  readonly at: string;
  /** SHA-256 of the line before, in hexadecimal. */
  readonly before: string;
}

export class AuditLog {
  readonly #path: string;
  #file: FileHandle;
  #last: string;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(path: string, file: FileHandle, last: string) {
    this.#path = path;
    this.#file = file;
    this.#last = last;
  }

  /**
   * Opens `audit.<role>.log`, making it if it is missing. A last line that a crash tore is ended and
   * stays; whatever follows it is chained to it as it is.
   */
  static async open(stateDir: string, role: string): Promise<AuditLog> {
    const path = join(stateDir, `audit.${role}.log`);
    return writing(path, async () => {
      const file = await open(path, "a+", 0o600);
      const { size } = await file.stat();
      const { buffer } = await file.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
      if (size > 0 && buffer.toString("latin1") !== "\n") await file.write("\n");
      let last: string | undefined;
      for await (const line of linesOf(path)) last = line;
      return new AuditLog(path, file, hashOf(last));
    });
  }

  /** Why the log on disk is not what was written, in words; undefined if it is. */
  check(): Promise<string | undefined> {
    return this.#inTurn(async () => {
      if (!(await this.#isThere())) return "it was taken away while this agent ran";
      try {
        const { last } = await readChain(this.#path);
        return last === this.#last ? undefined : "its end is not what this agent wrote";
      } catch (error) {
        if (error instanceof StoreCorrupt) return error.message;
        throw error;
      }
    });
  }

  /** Durable when it returns. Rejects with StoreUnwritable if the disk refuses. */
  append(entry: AuditEntry, at = new Date()): Promise<void> {
    return this.#inTurn(() =>
      writing(this.#path, async () => {
        if (!(await this.#isThere())) await this.#beginAnew(at);
        await this.#write(entry, at);
      }),
    );
  }

  /** Nothing is written into a file that nobody will find. */
  async #beginAnew(at: Date): Promise<void> {
    const file = await open(this.#path, "a+", 0o600);
    await this.#file.close();
    const reason = `the log before was taken away; the hash of its last line is ${this.#last}`;
    this.#file = file;
    this.#last = (await readChain(this.#path)).last;
    await this.#write({ what: "begun", who: "agent", migrationId: "", guestId: "", reason }, at);
  }

  async #write(entry: AuditEntry, at: Date): Promise<void> {
    const line: Line = { at: at.toISOString(), ...entry, before: this.#last };
    const text = JSON.stringify(line);
    const { size } = await this.#file.stat();
    try {
      await this.#file.appendFile(`${text}\n`); // all of it: `write` may take a part, and say so only in its answer
      await this.#file.sync();
    } catch (error) {
      // Half a line would be the beginning of the next one, which nobody could read then.
      await this.#file.truncate(size);
      throw error;
    }
    this.#last = hashOf(text);
  }

  async #isThere(): Promise<boolean> {
    const { dev, ino } = await this.#file.stat();
    const found = await stat(this.#path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    return found?.ino === ino && found.dev === dev;
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#file.close();
  }
}

/** Reads an audit log and checks its chain. Throws StoreCorrupt naming the first line that does not fit. */
export async function readAudit(path: string): Promise<(AuditEntry & { readonly at: string })[]> {
  const entries: Line[] = [];
  await readChain(path, (line) => entries.push(line));
  return entries;
}

/** Checks the chain, and answers the hash of its last line. */
async function readChain(
  path: string,
  each: (line: Line) => void = () => {},
): Promise<{ last: string }> {
  let last = GENESIS;
  let number = 0;
  for await (const text of linesOf(path)) {
    number += 1;
    const line = parse(text);
    // A line that was torn says nothing; the next one vouches for it as it is.
    if (line !== undefined) {
      if (line.before !== last) {
        throw new StoreCorrupt(path, `line ${number} does not follow the line before it`);
      }
      each(line);
    }
    last = hashOf(text);
  }
  return { last };
}

/** Piece by piece, since a log is as long as its host is old. `readline` would end lines at U+2028, too. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = "";
  for await (const piece of createReadStream(path, "utf8")) {
    const lines = `${rest}${piece}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") yield line;
  }
  if (rest !== "") yield rest;
}

function parse(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line; // written by `append`, and vouched for by the chain
  } catch {
    return undefined;
  }
}

function hashOf(line: string | undefined): string {
  return line === undefined ? GENESIS : createHash("sha256").update(line).digest("hex");
}
