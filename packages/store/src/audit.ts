/*
 * The audit log: what a person or a tether's cut decided about somebody's guest. One JSON line each,
 * carrying the hash of the line before, so that a line that is changed or taken out is found out.
 * Synced before anybody acts on it. Each agent of a host writes a file of its own.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open, readFile } from "node:fs/promises";
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
  readonly #file: FileHandle;
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
      const text = await file.readFile("utf8");
      if (text !== "" && !text.endsWith("\n")) await file.write("\n");
      const lines = text.split("\n").filter((line) => line !== "");
      return new AuditLog(path, file, hashOf(lines.at(-1)));
    });
  }

  /** Durable when it returns. Rejects with StoreUnwritable if the disk refuses. */
  append(entry: AuditEntry, at = new Date()): Promise<void> {
    const turn = this.#turn.then(() =>
      writing(this.#path, async () => {
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
      }),
    );
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
  const lines = (await readFile(path, "utf8")).split("\n").filter((line) => line !== "");
  const entries: Line[] = [];
  let before = GENESIS;
  for (const [index, text] of lines.entries()) {
    const line = parse(text);
    // A line that was torn says nothing; the next one vouches for it as it is.
    if (line !== undefined) {
      if (line.before !== before) {
        throw new StoreCorrupt(path, `line ${index + 1} does not follow the line before it`);
      }
      entries.push(line);
    }
    before = hashOf(text);
  }
  return entries;
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
