/* What every subcommand is given: where to write, and the hosts of the hosts file. */
import type { Command } from "commander";
import { Fleet } from "./fleet.js";
import { locateHostsFile, readHostsFile } from "./hosts-file.js";

export interface Shell {
  print(text: string): void;
  /** To stderr: what is not the answer. */
  note(text: string): void;
  /** One JSON object, one line. */
  json(value: unknown): void;
  /** Whether a person watches stderr. */
  readonly live: boolean;
  /** Aborted once nobody reads what is printed any more. For what would go on for ever. */
  readonly unread: AbortSignal;
  exit(code: number): void;
}

const reader = new AbortController();

/** Nobody reads what is printed any more. */
export const unread = () => reader.abort();

export const SHELL: Shell = {
  print: (text) => void process.stdout.write(`${text}\n`),
  note: (text) => void process.stderr.write(`${text}\n`),
  json: (value) => void process.stdout.write(`${JSON.stringify(value, plain)}\n`),
  live: process.stderr.isTTY === true,
  unread: reader.signal,
  exit: (code) => {
    process.exitCode = code;
  },
};

/** 64-bit numbers travel as strings, as protobuf's JSON has them; bytes as base64. */
function plain(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

/** Runs something with the hosts file's hosts, and hangs up afterwards. */
export async function withFleet<T>(
  command: Command,
  run: (fleet: Fleet) => Promise<T>,
): Promise<T> {
  const { hosts } = command.optsWithGlobals<{ hosts?: string }>();
  const fleet = new Fleet(readHostsFile(locateHostsFile(hosts)), traceparentOf(command));
  try {
    return await run(fleet);
  } finally {
    fleet.close();
  }
}

/** The trace that a command's calls are in. What the environment says may be anybody's mistake: a broken one is not sent. */
export function traceparentOf(command: Command): string | undefined {
  const { traceparent } = command.optsWithGlobals<{ traceparent?: string }>();
  return traceparent ?? process.env.TRACEPARENT;
}
