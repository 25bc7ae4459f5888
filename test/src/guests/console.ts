/*
 * A guest's consoles, one file on each host it lived on. A file is opened as soon as it is known and
 * read through that descriptor ever after: an agent that destroys the copy which stayed behind removes
 * its run directory, and what the guest said there must not go with it.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { type Reading, readTicker } from "./reading.js";

/** The consoles of one guest, in the order of its homes. */
export class Consoles {
  readonly #files: { readonly path: string; readonly fd: number; text: string }[] = [];

  /** The guest lives here now. A path that is known already is not added again. */
  add(path: string): void {
    if (this.#files.at(-1)?.path === path) return;
    this.#files.push({ path, fd: openSync(path, "r"), text: "" });
  }

  /** All it ever said, joined. */
  text(): string {
    return this.#files.map((_, index) => this.textAt(index)).join("");
  }

  /** What it said in its home number `index`, counted from 0. */
  textAt(index: number): string {
    const file = this.#files[index];
    if (file === undefined) return "";
    file.text += readOn(file.fd, file.text.length);
    return file.text;
  }

  /** How many homes it had. */
  get homes(): number {
    return this.#files.length;
  }

  /** What the ticker's consoles prove so far. Throws BrokenGuest. */
  read(): Reading {
    return readTicker(this.text());
  }

  close(): void {
    for (const { fd } of this.#files.splice(0)) closeSync(fd);
  }
}

/** What a file holds from `offset` on, a character for each byte, so that lengths are offsets. */
function readOn(fd: number, offset: number): string {
  const parts: string[] = [];
  const buffer = Buffer.allocUnsafe(1 << 16);
  for (let at = offset; ; ) {
    const length = readSync(fd, buffer, 0, buffer.length, at);
    if (length === 0) return parts.join("");
    parts.push(buffer.toString("latin1", 0, length));
    at += length;
  }
}
