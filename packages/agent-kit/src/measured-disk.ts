/*
 * How long the state directory takes, and what it refuses. No word about custody is said before it is
 * on disk, so a slow disk is a long blackout, and one that refuses stops new migrations.
 */
import { type Disk, diskAround, REFUSALS } from "@ferry/store";
import { Counter, Histogram, type Registry } from "prom-client";

/** Told of one name, and expected: something is there already, or is not there. */
const EXPECTED = ["ENOENT", "EEXIST", "ENOTEMPTY", "ENOTDIR"];
const CODES = [...REFUSALS, "other"] as const;

/** Changes that somebody waits for. */
const TIMED: ReadonlySet<string> = new Set(["write", "rename", "sync"]);

export type JournalMetrics = ReturnType<typeof journalMetrics>;

export function journalMetrics(registers: Registry[]) {
  const metrics = {
    seconds: new Histogram({
      name: "ferry_journal_write_seconds",
      help: "How long steps of writing a record took: write (a file and its sync), rename, sync (a directory's).",
      labelNames: ["step"] as const,
      buckets: [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3],
      registers,
    }),
    failures: new Counter({
      name: "ferry_journal_write_failures_total",
      help: "Steps of writing a record that the state directory refused, by the system's code.",
      labelNames: ["code"] as const,
      registers,
    }),
  };
  for (const step of TIMED) metrics.seconds.zero({ step });
  for (const code of CODES) metrics.failures.inc({ code }, 0);
  return metrics;
}

/** The same disk, counted. */
export function measuredDisk(disk: Disk, metrics: JournalMetrics): Disk {
  return diskAround(disk, async (change, making) => {
    const startedAt = performance.now();
    try {
      await making;
    } catch (error) {
      count(error);
      throw error;
    }
    if (!TIMED.has(change)) return;
    const seconds = (performance.now() - startedAt) / 1_000;
    setImmediate(() => metrics.seconds.observe({ step: change }, seconds)); // whoever waits for it goes first
  });

  function count(error: unknown): void {
    const code = (error as { code?: unknown } | undefined)?.code;
    if (typeof code === "string" && EXPECTED.includes(code)) return;
    metrics.failures.inc({ code: CODES.find((known) => known === code) ?? "other" });
  }
}
