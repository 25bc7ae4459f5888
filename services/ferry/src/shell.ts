/* What every subcommand is given: where to write, and the hosts of the hosts file. */
import type { Command } from "commander";
import { Fleet } from "./fleet.js";
import { locateHostsFile, readHostsFile } from "./hosts-file.js";
import { plain } from "./plain.js";

export interface Shell {
  print(text: string): void;
  /** To stderr: what is not the answer. */
  note(text: string): void;
  /** One JSON object, one line. */
  json(value: unknown): void;
  /** Whether a person watches stderr, on a terminal that can be written over. */
  readonly live: boolean;
  /** The same of stdout. */
  readonly drawable: boolean;
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
  live: canDraw(process.stderr),
  drawable: canDraw(process.stdout),
  unread: reader.signal,
  exit: (code) => {
    process.exitCode = code;
  },
};

function canDraw(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && process.env.TERM !== "dumb";
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
