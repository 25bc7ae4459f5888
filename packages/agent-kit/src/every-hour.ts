import type { Logger } from "./logs.js";

const HOUR_MS = 60 * 60 * 1000;

/** Does some tidying now and every hour, until what it answers is called. Nothing depends on it. */
export function everyHour(tidy: () => Promise<void>, log: Logger): () => void {
  const run = () => {
    tidy().catch((error: unknown) => log.warn({ err: error }, "not tidied"));
  };
  run();
  const timer = setInterval(run, HOUR_MS);
  timer.unref();
  return () => clearInterval(timer);
}
