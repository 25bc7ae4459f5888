/*
 * One JSON line per thing that happened, to standard output or a file. Keys of migrations and of
 * certificates are never given to a logger; that they are redacted here as well is the second rope.
 */
import { type DestinationStream, type Logger, pino } from "pino";
import type { Config } from "./config.js";
import { LogFile } from "./log-file.js";
import { withoutSecrets } from "./without-secrets.js";

export type { Logger };

/** How long the end of the process may wait for its last lines to be written, in milliseconds. */
const FLUSH_MS = 1_000;

export interface LogOptions {
  readonly level: Config["log"]["level"];
  readonly file?: string | undefined;
  /** Fields of every line, e.g. agent_id. */
  readonly base: Readonly<Record<string, string>>;
}

export interface Log {
  readonly log: Logger;
  /** Resolves when everything said is written, or it took too long. */
  flush(): Promise<void>;
  /** The same at once, for a process that ends now. */
  flushNow(): void;
}

export function openLog(options: LogOptions): Log {
  const file = new LogFile(options.file);
  return {
    log: makeLogger(options, file),
    flush: () => file.flush(FLUSH_MS),
    flushNow: () => file.flushNow(),
  };
}

export function makeLogger(
  { level, base }: Omit<LogOptions, "file">,
  stream: DestinationStream,
): Logger {
  return pino(
    {
      level,
      base,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: withoutSecrets },
      serializers: { err: (error: Error) => withoutSecrets(pino.stdSerializers.err(error)) },
    },
    stream,
  );
}
