/*
 * QMP is one JSON text per line. A chunk read from a socket ends anywhere, even inside a UTF-8
 * character: so lines are cut at LF *bytes*, and only whole lines are decoded.
 */
import { QmpRubbish } from "./errors.js";

/** Longest line taken, in bytes. QEMU's longest answer (query-qmp-schema) is a few hundred KiB. */
export const LINE_BYTES_MAX = 16 * 1024 * 1024;

const LF = 0x0a;

export class Lines {
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #pieces: Buffer[] = [];
  #heldBytes = 0;

  constructor(private readonly bytesMax = LINE_BYTES_MAX) {}

  /**
   * The lines that `chunk` completes, without their ends; empty lines are skipped.
   * Throws QmpRubbish for a line that is too long or not UTF-8.
   */
  *push(chunk: Buffer): Generator<string> {
    let from = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, from)) {
      this.#hold(chunk.subarray(from, end));
      from = end + 1;
      const line = this.#take().trim();
      if (line !== "") yield line;
    }
    this.#hold(chunk.subarray(from));
  }

  #hold(piece: Buffer): void {
    this.#heldBytes += piece.length;
    if (this.#heldBytes > this.bytesMax) {
      throw new QmpRubbish(`a line of more than ${this.bytesMax} bytes`);
    }
    if (piece.length > 0) this.#pieces.push(piece);
  }

  #take(): string {
    const bytes = Buffer.concat(this.#pieces, this.#heldBytes);
    this.#pieces = [];
    this.#heldBytes = 0;
    try {
      return this.#decoder.decode(bytes);
    } catch (cause) {
      throw new QmpRubbish("a line that is not UTF-8", { cause });
    }
  }
}
