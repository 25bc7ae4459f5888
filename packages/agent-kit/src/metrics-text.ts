/*
 * The text of /metrics, made a slice at a time. While it is made nobody answers a caller's ping and nothing
 * is heard over Meet, so the event loop is let go after every few milliseconds.
 */
import { setImmediate as letGo } from "node:timers/promises";
import type { Registry } from "prom-client";
import { MigrationGauge } from "./migration-metrics.js";

/** Work at a stretch, in milliseconds; one metric more may come on top. */
const SLICE_MS = 3;

export async function metricsText(registry: Registry): Promise<string> {
  const pieces: string[] = [];
  let since = performance.now();
  for (const { name } of registry.getMetricsAsArray()) {
    const metric = registry.getSingleMetric(name);
    pieces.push(
      metric instanceof MigrationGauge
        ? metric.text()
        : await registry.getSingleMetricAsString(name),
    );
    if (performance.now() - since < SLICE_MS) continue;
    await letGo();
    since = performance.now();
  }
  return `${pieces.join("\n\n")}\n`;
}
