/*
 * How an agent ends. On SIGTERM or SIGINT it takes its steps in order and exits 0; a second signal
 * ends it at once. A bug ends it too, after it was written down: what is on disk makes that safe,
 * and going on with half a mind is not.
 */
import type { Logger } from "./logs.js";
import { within } from "./within.js";

/** The log's last words are in the file when `flushNow` returns. */
export interface ShutdownOptions {
  readonly log: Logger;
  flush(): Promise<void>;
  flushNow(): void;
  /** Ends the agent in order. */
  stop(): Promise<void>;
  /** The steps may take this long altogether, in milliseconds. */
  readonly withinMs: number;
  /** Where signals come from and how a process ends; a test brings its own. */
  readonly process?: Pick<NodeJS.Process, "on" | "exit">;
}

export function endOnSignals(options: ShutdownOptions): void {
  const { log, flush, flushNow, stop, withinMs } = options;
  const us = options.process ?? process;
  let ending = false;

  const onSignal = async (signal: string) => {
    if (ending) {
      log.warn({ signal }, "a second signal: ending at once");
      flushNow();
      us.exit(1);
      return;
    }
    ending = true;
    log.info({ signal }, "shutting down");
    const ended = await inTime(stop(), withinMs, log);
    log.info({ in_order: ended }, "shut down");
    await flush();
    us.exit(ended ? 0 : 1);
  };
  us.on("SIGTERM", () => void onSignal("SIGTERM"));
  us.on("SIGINT", () => void onSignal("SIGINT"));

  const onBug = (kind: string) => (error: unknown) => {
    log.fatal({ err: error, kind }, "a bug: this agent ends, and its successor goes on");
    flushNow();
    us.exit(1);
  };
  us.on("uncaughtException", onBug("uncaughtException"));
  us.on("unhandledRejection", onBug("unhandledRejection"));
}

/** Whether `work` ended well within `withinMs`. */
async function inTime(work: Promise<void>, withinMs: number, log: Logger): Promise<boolean> {
  try {
    const ended = await within(
      withinMs,
      work.then(() => true),
    );
    if (ended === undefined) log.error({ within_ms: withinMs }, "shutting down takes too long");
    return ended ?? false;
  } catch (error) {
    log.error({ err: error }, "shutting down went wrong");
    return false;
  }
}
