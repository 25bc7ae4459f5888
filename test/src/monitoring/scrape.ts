/* What an agent tells at /metrics, read. */
import type { TestHost } from "../harness/hosts.js";

const PORTS = { source: 9701, destination: 9702 } as const;

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export function metricsAddress(host: TestHost, role: "source" | "destination"): string {
  return `${host.address}:${PORTS[role]}`;
}

/** One scrape. Throws if it is refused. */
export async function scrape(host: TestHost, role: "source" | "destination"): Promise<Sample[]> {
  return (await scrapeText(host, role)).split("\n").flatMap(sampleOf);
}

/** The same, as it is sent. */
export async function scrapeText(host: TestHost, role: "source" | "destination"): Promise<string> {
  const response = await fetch(`http://${metricsAddress(host, role)}/metrics`, {
    headers: { connection: "close" },
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`/metrics of ${host.name}'s ${role}: ${text}`);
  return text;
}

function sampleOf(line: string): Sample[] {
  const [, name = "", words = "", value = ""] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (name === "") return [];
  const labels = [...words.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, text]) => [label, text]);
  return [{ name, labels: Object.fromEntries(labels), value: Number(value) }];
}
