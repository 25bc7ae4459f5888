/* How the agent's configuration file fared when it was read again. */
import { Counter, Gauge, type Registry } from "prom-client";

export function configMetrics(registers: Registry[]) {
  const metrics = {
    waiting: new Gauge({
      name: "ferry_config_restart_needed",
      help: "Keys of the configuration file that changed and wait for a restart of this agent.",
      registers,
    }),
    reloads: new Counter({
      name: "ferry_config_reloads_total",
      help: "Times the configuration file was read again, by what came of it.",
      labelNames: ["outcome"] as const, // taken | refused
      registers,
    }),
  };
  for (const outcome of ["taken", "refused"]) metrics.reloads.inc({ outcome }, 0);
  return metrics;
}
