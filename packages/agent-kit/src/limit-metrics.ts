/*
 * Every limit that has a name in the configuration, as Prometheus sees it: how much there may be, how much
 * there is, and how often somebody was turned away for it. docs/operations.md lists what each does.
 */
import { Counter, Gauge, type Registry } from "prom-client";

/** One limit: both are asked when the metrics are read, since the configuration may change. */
export interface Limit {
  max(): number;
  /** Undefined: it is about one thing at a time, e.g. the size of a message. */
  used?(): number | Promise<number>;
}

export function limitMetrics(registers: Registry[]) {
  const labelNames = ["name"] as const; // keys of `limits` in the configuration, and "ports"
  const limits = new Map<string, Limit>();
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
    help: "How much of it there is now; of a limit per caller, what the caller with the most has.",
    labelNames,
    registers,
    async collect() {
      for (const [name, { used }] of limits) if (used) this.set({ name }, await used());
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
