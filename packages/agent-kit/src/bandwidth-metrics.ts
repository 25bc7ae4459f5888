/* The host's bandwidth budgets, and what of them is in use. */
import { Gauge, type Registry } from "prom-client";
import type { AgentRole } from "./config.js";

export function bandwidthMetrics(role: AgentRole, registers: Registry[]) {
  const labelNames = ["direction"] as const; // out | in
  const direction = role === "source" ? "out" : "in";
  const budget = new Gauge({
    name: "ferry_bandwidth_budget_bytes_per_second",
    help: "What migrations of this host may use together, in that direction; 0: no limit.",
    labelNames,
    registers,
  });
  const allotted = new Gauge({
    name: "ferry_bandwidth_allotted_bytes_per_second",
    help: "What the migrations under way were told they may use, in that direction; those without a limit count as 0.",
    labelNames,
    registers,
  });
  const used = new Gauge({
    name: "ferry_bandwidth_used_bytes_per_second",
    help: "How fast the migrations under way use it, in that direction, as the sending QEMUs measure it; incoming ones as their sources tell, and those of a source that is silent not at all.",
    labelNames,
    registers,
  });
  for (const each of [budget, allotted, used]) each.set({ direction }, 0);
  return { budget, allotted, used };
}
