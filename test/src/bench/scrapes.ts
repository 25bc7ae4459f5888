/* What a scrape costs the agent: how long it takes, and for how long nothing else happens. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Bench, Suite } from "./bench.js";
import type { Ports } from "./scrape-main.js";

const PROGRAM = fileURLToPath(new URL("./scrape-main.js", import.meta.url));
const RUNS = 40;
/** The first scrapes run code that was never run: they are not counted. */
const WARM_UP = 5;

export const scrapes: Suite = {
  name: "scraping agents with 200 guests and 200 tethers (stand-ins)",
  rows: ["scrape-source", "scrape-destination", "scrape-blocked"],
  async run(bench) {
    const { child, ports } = await bench.use(start(), ({ child }) => child.kill("SIGKILL"));
    for (let run = 1 - WARM_UP; run <= bench.runs(RUNS); run += 1) {
      for (const role of ["source", "destination"] as const) {
        await measure(bench, { child, port: ports[role], row: `scrape-${role}`, counts: run >= 1 });
      }
    }
  },
};

async function start(): Promise<{ readonly child: ChildProcess; readonly ports: Ports }> {
  const child = fork(PROGRAM, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  return { child, ports: (await answer(child)) as Ports };
}

async function measure(
  bench: Bench,
  it: {
    readonly child: ChildProcess;
    readonly port: number;
    readonly row: "scrape-source" | "scrape-destination";
    readonly counts: boolean;
  },
): Promise<void> {
  await blockedMs(it.child); // from here on
  const from = performance.now();
  const response = await fetch(`http://127.0.0.1:${it.port}/metrics`);
  await response.text();
  const tookMs = performance.now() - from;
  const blocked = await blockedMs(it.child);
  if (!response.ok) throw new Error(`/metrics answered ${response.status}`);
  if (!it.counts) return;
  bench.record(it.row, tookMs);
  bench.record("scrape-blocked", blocked);
}

async function blockedMs(child: ChildProcess): Promise<number> {
  const answered = answer(child);
  child.send("blocked");
  return ((await answered) as { readonly blockedMs: number }).blockedMs;
}

async function answer(child: ChildProcess): Promise<unknown> {
  const [word] = await once(child, "message");
  return word;
}
