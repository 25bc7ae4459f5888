/*
 * One JSON line per thing that happened, to standard output or a file. Keys of migrations and of
 * certificates are never given to a logger; that they are redacted here as well is the second rope.
 */
import { type DestinationStream, destination, type Logger, pino } from "pino";
import type { Config } from "./config.js";

export type { Logger };

/** Fields whose value is nobody's business, wherever they stand. */
const SECRET_FIELDS = ["key", "psk", "privateKey", "private_key", "password", "secret", "ticket"];

export interface LogOptions {
  readonly level: Config["log"]["level"];
  readonly file?: string | undefined;
  /** Fields of every line, e.g. agent_id. */
  readonly base: Readonly<Record<string, string>>;
}

/** `stream` is for tests; without one the log goes to `file`, or to standard output. */
export function makeLogger({ level, file, base }: LogOptions, stream?: DestinationStream): Logger {
  const paths = SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);
  return pino(
    {
      level,
      base,
      redact: { paths, censor: "[redacted]" },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    // Written at once: the line before a crash is the one that is wanted.
    stream ?? destination({ dest: file ?? 1, sync: true, mkdir: false }),
  );
}
