/*
 * Every limit that has a name in the configuration, as Prometheus sees it: how much there may be, how much
 * there is, and how often somebody was turned away for it. docs/operations.md lists what each does.
 */
import { Counter, Gauge, type Registry } from "prom-client";
import { within } from "./within.js";

/**
 * What has to be looked up on disk is waited for this long at a scrape, in milliseconds. A disk that hangs must not
 * silence everything else: that it hangs is told in the same answer.
 */
const LOOK_MS = 500;

/** One limit: both are asked when the metrics are read, since the configuration may change. */
export interface Limit {
  max(): number;
  /** Undefined: it is about one thing at a time, e.g. the size of a message. */
  used?(): number | Promise<number>;
}

export function limitMetrics(registers: Registry[]) {
  const labelNames = ["name"] as const; // keys of `limits` in the configuration, and "ports"
  const limits = new Map<string, Limit>();
  const looks = new Map<string, Promise<number | undefined>>();
  /** What is used of it; undefined: nobody knows now. It is not asked again before it has answered. */
  const usedOf = async (name: string, used: () => number | Promise<number>) => {
    let look = looks.get(name);
    if (look === undefined) {
      look = Promise.resolve(used())
        .catch(() => undefined)
        .finally(() => looks.delete(name));
      looks.set(name, look);
    }
    return within(LOOK_MS, look);
  };
  new Gauge({
    name: "ferry_limit",
    help: "How much of something there may be at this agent, by the limit's name in the configuration.",
    labelNames,
    registers,
    collect() {
      for (const [name, { max }] of limits) this.set({ name }, max());
    },
  });
  new Gauge({
    name: "ferry_limit_used",
    help: "How much of it there is now; of a limit per caller, what the caller with the most has. Absent while a disk that knows it does not say.",
    labelNames,
    registers,
    async collect() {
      const each = async ([name, { used }]: readonly [string, Limit]) => {
        if (used === undefined) return;
        const now = await usedOf(name, () => used());
        if (now === undefined) this.remove({ name });
        else this.set({ name }, now);
      };
      await Promise.all([...limits].map(each));
    },
  });
  const refusals = new Counter({
    name: "ferry_limit_refusals_total",
    help: "Times somebody was turned away because a limit was reached.",
    labelNames,
    registers,
  });
  return {
    add(named: Readonly<Record<string, Limit>>): void {
      for (const [name, limit] of Object.entries(named)) {
        limits.set(name, limit);
        refusals.inc({ name }, 0);
      }
    },
    refused(name: string): void {
      refusals.inc({ name });
    },
  };
}

/** How many the caller with the most has. */
export function mostPerCaller(callers: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const caller of callers) counts.set(caller, (counts.get(caller) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}
