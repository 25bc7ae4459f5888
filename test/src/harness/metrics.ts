/* What Prometheus would read of an agent. */
import type { AgentRole } from "./agent-process.js";
import { METRICS_PORTS, type TestHost } from "./hosts.js";

/** The value of one series; undefined if there is none, or if the agent does not answer. */
export async function metricOf(
  { address }: TestHost,
  role: AgentRole,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number | undefined> {
  const url = `http://${address}:${METRICS_PORTS[role]}/metrics`;
  const text = await fetch(url).then(
    (answer) => answer.text(),
    () => "",
  );
  for (const line of text.split("\n")) {
    const [, found, pairs = "", value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    const all = Object.entries(labels).every(([key, each]) => pairs.includes(`${key}="${each}"`));
    if (found === name && all) return Number(value);
  }
  return undefined;
}
