/* What the agents and keepers weigh: at rest, with guests, and after many migrations. */
import { setTimeout as wait } from "node:timers/promises";
import { migrate } from "@ferry/client";
import type { AgentProcess } from "../harness/agent-process.js";
import { TestGuest, tickerSpec } from "../harness/guests.js";
import type { Hosts, TestHost } from "../harness/hosts.js";
import type { Bench, Suite } from "./bench.js";
import { startHosts } from "./bench-hosts.js";
import { parentOf, residentBytes } from "./memory-of.js";
import { left } from "./move.js";
import { summary } from "./report.js";

const MB = 1e6;
/** An agent that has just started is still tidying up. */
const REST_MS = 3_000;
const GUESTS = 20;
/** Migrations that fill caches and pools and let V8 compile, and are not counted. */
const WARM_UP = 100;
const MIGRATIONS = 100;
/** How many weighings make one: between two tidyings the same agent weighs more and less. */
const WEIGHINGS = 10;

export const memory: Suite = {
  name: "weighing agents and keepers",
  rows: [
    "memory-source-idle",
    "memory-destination-idle",
    "memory-per-guest",
    "memory-keeper",
    "memory-source-growth",
    "memory-destination-growth",
  ],
  async run(bench) {
    const hosts = await startHosts(bench);
    await wait(REST_MS);
    for (const { source, destination } of hosts.all) {
      bench.record("memory-source-idle", weigh(source));
      bench.record("memory-destination-idle", weigh(destination));
    }
    if (bench.wants("memory-per-guest", "memory-keeper")) await weighGuests(bench, hosts.pair[0]);
    if (bench.wants("memory-source-growth", "memory-destination-growth")) {
      await weighMigrations(bench, hosts);
    }
  },
};

/** A first batch of guests comes and goes, so that only what guests hold on to is counted. */
async function weighGuests(bench: Bench, host: TestHost): Promise<void> {
  const names = Array.from({ length: GUESTS }, (_, index) => `tiny-${index}`);
  const start = (name: string) => TestGuest.start(host, tiny(name), { paused: true });
  const stop = (name: string) => host.client.guests.stop(name, { graceMs: 0 });
  for (const name of names) await start(name);
  for (const name of names) await stop(name);
  await wait(REST_MS);
  const before = weigh(host.source);
  for (const name of names) {
    const guest = await start(name);
    bench.record("memory-keeper", residentBytes(parentOf(guest.qemuPid)) / MB);
  }
  await wait(REST_MS);
  bench.record("memory-per-guest", (weigh(host.source) - before) / GUESTS);
  for (const name of names) await stop(name);
}

async function weighMigrations(bench: Bench, hosts: Hosts): Promise<void> {
  let [from, to]: readonly [TestHost, TestHost] = hosts.pair;
  await TestGuest.start(from, tiny("wanderer"));
  const agents = hosts.all.flatMap(({ source, destination }) => [source, destination]);
  const weights = new Map<AgentProcess, number[]>(agents.map((agent) => [agent, []]));
  const migrations = WARM_UP + bench.runs(MIGRATIONS);
  for (let count = 1; count <= migrations; count += 1) {
    const run = migrate({ guestId: "wanderer", from: from.client, to: to.client });
    const { verdict, why } = await run.result;
    if (verdict !== "landed") throw new Error(`migration ${count}: ${JSON.stringify(why)}`);
    await left("wanderer", from);
    [from, to] = [to, from];
    for (const [agent, series] of weights) series.push(weigh(agent));
    if (count % WEIGHINGS === 0) {
      const now = [...weights.values()].map((series) => series.at(-1)?.toFixed(0)).join(", ");
      bench.say(`  after ${count} migrations: ${now} MB`);
    }
  }
  for (const [agent, series] of weights) {
    const early = summary(series.slice(WARM_UP - WEIGHINGS, WARM_UP)).median;
    const late = summary(series.slice(-WEIGHINGS)).median;
    bench.record(`memory-${agent.options.role}-growth`, late - early);
  }
}

function tiny(name: string) {
  return tickerSpec(name, { memoryMib: 16, hz: 19, ram: 2, check: 1 });
}

/** In MB. */
function weigh(agent: AgentProcess): number {
  return residentBytes(agent.pid) / MB;
}
