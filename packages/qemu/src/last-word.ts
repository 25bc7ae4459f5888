/*
 * How a QEMU ended: its keeper's last word, with what QEMU wrote on its standard error. A QEMU whose
 * keeper was killed first leaves none, and then nobody knows.
 */
import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { constants } from "node:os";
import { lastWordPath, logPath } from "./run-directory.js";

export interface Death {
  /** Set if QEMU ended by itself. */
  readonly exitCode?: number;
  /** Set if a signal ended it, e.g. "SIGKILL". */
  readonly signal?: string;
  /** Whether the keeper had been freed; not set if nobody wrote it down. */
  readonly freed?: boolean;
  /** For people: how it ended, and the end of what QEMU wrote. */
  readonly summary: string;
}

export interface LastWord {
  /** As the shell has it: 128 + the signal's number, or the exit code. */
  readonly status: number;
  readonly freed: boolean;
  readonly cause: string;
}

/** Filled up with underscores to the room that was kept for it. */
const LINE = /^([0-9]{1,3}) (freed|unfreed) ([a-z_]*[a-z])_*\n$/;
const TAIL_BYTES_MAX = 2048;
/** Of that for one sentence, which is cut at its end where it travels: QEMU's last words are the ones that count. */
const TAIL_CHARACTERS_MAX = 320;
const SIGNAL_BASE = 128;

const CAUSES: Readonly<Record<string, string>> = {
  agent_died: ", because its agent died before freeing it",
  asked: ", as it was told to",
  itself: ", by somebody else (if it was the kernel for want of memory, dmesg says so)",
};

/** Undefined while QEMU is not reaped (a half-written line counts as none). */
export function readLastWord(runDir: string): LastWord | undefined {
  let text: string;
  try {
    text = readFileSync(lastWordPath(runDir), "latin1");
  } catch {
    return undefined;
  }
  const [, status, freed, cause] = LINE.exec(text) ?? [];
  if (status === undefined || cause === undefined) return undefined;
  return { status: Number(status), freed: freed === "freed", cause };
}

export function deathOf({ status, freed, cause }: LastWord, runDir: string): Death {
  if (status <= SIGNAL_BASE) {
    return {
      exitCode: status,
      freed,
      summary: withTail(`QEMU exited with code ${status}`, runDir),
    };
  }
  const signal = signalName(status - SIGNAL_BASE);
  const why = signal === "SIGKILL" ? (CAUSES[cause] ?? "") : "";
  return { signal, freed, summary: withTail(`QEMU was ended by ${signal}${why}`, runDir) };
}

/** Nobody saw it: its keeper was killed before it. */
export function unseenDeath(reason: string, runDir: string): Death {
  return { summary: withTail(reason, runDir) };
}

/** The last lines of what QEMU and its keeper wrote, on one line. */
export function logTail(runDir: string): string {
  let file: number | undefined;
  try {
    file = openSync(logPath(runDir), "r");
    const { size } = fstatSync(file);
    const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES_MAX));
    const read = readSync(file, bytes, 0, bytes.length, size - bytes.length);
    return lastLines(bytes.toString("utf8", 0, read));
  } catch {
    return "";
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** As many of the last lines as fit, on one line. Warnings are left out where anything else was said. */
export function lastLines(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  const said = lines.filter((line) => line !== "");
  const grave = said.filter((line) => !/: warning: /.test(line));
  const all = (grave.length > 0 ? grave : said).join("; ");
  return all.length > TAIL_CHARACTERS_MAX ? `…${all.slice(1 - TAIL_CHARACTERS_MAX)}` : all;
}

function withTail(text: string, runDir: string): string {
  const tail = logTail(runDir);
  return tail === "" ? text : `${text}; it wrote: ${tail}`;
}

function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found?.[0] ?? `signal ${number}`;
}
