/*
 * A bug report in one file: a gzipped tar with what could be got, and a manifest that says what is in it
 * and what could not be got, and why. Whatever fails is a line of the manifest, and never the end of it.
 */
import { writeFile } from "node:fs/promises";
import { wordsOf } from "@ferry/client";
import { createTarGzip } from "nanotar";
import { Failure } from "../failure.js";
import { redact, redactLines } from "./redact.js";

/** One thing that is in it. */
export interface Held {
  readonly path: string;
  readonly what: string;
  readonly bytes: number;
}

/** One thing that is not. */
export interface Missing {
  readonly what: string;
  readonly why: string;
}

/** Everything stands below this folder. */
const FOLDER = "ferry-bundle";

export class Bundle {
  readonly held: Held[] = [];
  readonly missing: Missing[] = [];
  readonly #files: { name: string; data: string }[] = [];

  /** Adds what `get` gives, redacted: text line by line, anything else as JSON. Never rejects. */
  async add(path: string, what: string, get: () => unknown): Promise<void> {
    try {
      const got = await get();
      const data = typeof got === "string" ? redactLines(got) : pretty(redact(got));
      this.#put(path, data);
      this.held.push({ path, what, bytes: Buffer.byteLength(data) });
    } catch (error) {
      this.miss(what, wordsOf(error));
    }
  }

  miss(what: string, why: string): void {
    this.missing.push({ what, why: redactLines(why) });
  }

  /** Writes it, for its owner's eyes. A file that is there is not replaced. */
  async write(file: string, now: Date): Promise<void> {
    const { node } = process.versions;
    const made = { at: now.toISOString(), by: "ferry doctor --bundle", node };
    const manifest = { made, held: this.held, missing: this.missing };
    const files = [{ name: `${FOLDER}/manifest.json`, data: pretty(manifest) }, ...this.#files];
    const tar = await createTarGzip(files, { attrs: { mode: "600", mtime: now.getTime() } });
    try {
      await writeFile(file, tar, { flag: "wx", mode: 0o600 });
    } catch (error) {
      throw new Failure(
        `the bundle cannot be written: ${wordsOf(error)}`,
        "Name a file that does not exist yet, in a folder you may write to.",
      );
    }
  }

  /** For people: what it holds, what it does not, and what to do with it. */
  lines(file: string): string[] {
    const list = this.held.map(({ path, what, bytes }) => `  ${path}: ${what}, ${bytes} bytes`);
    const lost = this.missing.map(({ what, why }) => `  not got: ${what}: ${why}`);
    return [
      `${file} holds:`,
      ...list,
      ...lost,
      "next: look through it, then attach it to the report; names, addresses and paths are in it, keys are not",
    ];
  }

  #put(path: string, data: string): void {
    this.#files.push({ name: `${FOLDER}/${path}`, data });
  }
}

function pretty(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
