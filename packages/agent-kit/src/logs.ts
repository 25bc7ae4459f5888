/*
 * One JSON line per thing that happened, to standard output or a file. Keys of migrations and of
 * certificates are never given to a logger; that they are redacted here as well is the second rope.
 */
import { type DestinationStream, destination, type Logger, pino } from "pino";
import type { Config } from "./config.js";

export type { Logger };

/** Fields whose value is nobody's business, wherever they stand. */
const SECRET_FIELDS = ["key", "psk", "privateKey", "private_key", "password", "secret", "ticket"];
/** Lines that wait for a reader who does not read; further ones are dropped. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024;
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

/**
 * Opens the log. Writing never waits in the event loop: a log reader that hangs must not delay the
 * answer to a ping. Nor does it throw: one that is gone, or a full disk, must not end the agent.
 */
export function openLog(options: LogOptions): Log {
  const stream = destination({
    dest: options.file ?? 1,
    sync: false,
    maxLength: WAITING_BYTES_MAX,
  });
  stream.on("error", () => {});
  return {
    log: makeLogger(options, stream),
    flush: () =>
      new Promise((resolve) => {
        const late = setTimeout(resolve, FLUSH_MS);
        stream.flush(() => {
          clearTimeout(late);
          resolve();
        });
      }),
    flushNow: () => {
      try {
        stream.flushSync();
      } catch {
        // Nobody can be told any more.
      }
    },
  };
}

export function makeLogger(
  { level, base }: Omit<LogOptions, "file">,
  stream: DestinationStream,
): Logger {
  const paths = SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);
  return pino(
    {
      level,
      base,
      redact: { paths, censor: "[redacted]" },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
}
