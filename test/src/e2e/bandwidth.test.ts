/*
 * Goal: a host's migrations share its bandwidth, evenly, and anew whenever one comes or goes, over every
 * restart and every change of the configuration; none gets more than its caller or its destination
 * allows. Method: real copies that do not end, and the limit that QEMU itself says it keeps to.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { guestRunDirectory } from "@ferry/agent-kit";
import { Transport } from "@ferry/contract";
import { connect, type Qmp } from "@ferry/qmp";
import { TestGuest, tickerSpec } from "../harness/guests.js";
import type { TestHost } from "../harness/hosts.js";
import { metricOf } from "../harness/metrics.js";
import { until } from "../harness/until.js";
import { type Bench, openBench } from "./support/bench-hosts.js";
import { Steps, type View } from "./support/steps.js";

const MIB = 1024 * 1024;
const BUDGET = 6 * MIB;
/** QEMU's limit where nobody set one (packages/qemu/src/outgoing.ts). */
const UNLIMITED = 2 ** 40;

let bench: Bench;
let monitors: Map<string, Qmp>;
before(async () => {
  monitors = new Map();
  bench = await openBench({ config: { limits: { bandwidth_bytes_per_second: BUDGET } } });
});
after(async () => {
  for (const qmp of monitors.values()) qmp.close();
  await bench?.close();
});

/** A guest that writes faster than any copy here carries, and its copy, under way. */
async function leaving(
  guestId: string,
  { ask = 0, transport = Transport.DIRECT } = {},
): Promise<{ steps: Steps; view: View }> {
  const [from, to] = bench.hosts.pair;
  await TestGuest.start(from, tickerSpec(guestId, { ram: 40, dirty: 120, memoryMib: 64 }));
  const path = join(guestRunDirectory(from.runDir, guestId), "debug.qmp");
  monitors.set(guestId, await connect(path, { timeoutMs: 20_000 }));
  const steps = new Steps({ guestId, from, to, transport });
  await steps.begin();
  await bench.keep(steps.prepare()).ready();
  const view = steps.perform({ bandwidthBytesPerSecond: BigInt(ask), downtimeLimitMs: 1 });
  await view.bound();
  return { steps, view };
}

async function limitOf(guestId: string): Promise<number> {
  const parameters = await monitors.get(guestId)?.execute("query-migrate-parameters");
  return (parameters as { "max-bandwidth": number })["max-bandwidth"];
}

async function limits(expected: Readonly<Record<string, number>>): Promise<void> {
  let now = {};
  await until(`limits ${JSON.stringify(expected)}`, async () => {
    const found = await Promise.all(
      Object.keys(expected).map(async (id) => [id, await limitOf(id)] as const),
    );
    now = Object.fromEntries(found);
    return JSON.stringify(now) === JSON.stringify(expected);
  }).catch((error: Error) => assert.fail(`${error.message}; they are ${JSON.stringify(now)}`));
}

/** Changes the limits of that agent, without a restart. */
function setLimits(host: TestHost, role: "source" | "destination", change: object): void {
  const { configPath } = host[role].options;
  const file = JSON.parse(readFileSync(configPath, "utf8"));
  writeFileSync(configPath, JSON.stringify({ ...file, limits: { ...file.limits, ...change } }));
  host[role].hangUp();
}

test("a budget is divided anew as migrations come and go, the agent restarts, and it changes", async () => {
  const [from, to] = bench.hosts.pair;
  const one = await leaving("one");
  await limits({ one: BUDGET });
  const two = await leaving("two", { transport: Transport.TUNNEL });
  await limits({ one: BUDGET / 2, two: BUDGET / 2 });
  await leaving("three", { ask: MIB });
  await limits({ one: 2.5 * MIB, two: 2.5 * MIB, three: MIB });
  const direction = { direction: "out" };
  const metric = (name: string) => metricOf(from, "source", name, direction);
  assert.equal(await metric("ferry_bandwidth_budget_bytes_per_second"), BUDGET);
  assert.equal(await metric("ferry_bandwidth_allotted_bytes_per_second"), BUDGET);
  const used = "ferry_bandwidth_used_bytes_per_second";
  await until("what is used to be told", async () => ((await metric(used)) ?? 0) > 0);
  const arriving = () => metricOf(to, "destination", used, { direction: "in" });
  await until(
    "what arrives to be told where it arrives",
    async () => ((await arriving()) ?? 0) > 0,
  );

  await two.steps.abort();
  await limits({ one: 5 * MIB, three: MIB });

  setLimits(from, "source", { bandwidth_bytes_per_second: 3 * MIB });
  await limits({ one: 2 * MIB, three: MIB });

  await from.source.restart();
  await one.steps.departureIn("performing");
  setLimits(from, "source", { bandwidth_bytes_per_second: 4 * MIB });
  await limits({ one: 3 * MIB, three: MIB });

  setLimits(to, "destination", { incoming_bandwidth_bytes_per_second: 2 * MIB });
  await limits({ one: MIB, three: MIB });
  assert.equal(
    await metricOf(to, "destination", "ferry_bandwidth_allotted_bytes_per_second", {
      direction: "in",
    }),
    2 * MIB,
  );

  setLimits(from, "source", { bandwidth_bytes_per_second: null });
  setLimits(to, "destination", { incoming_bandwidth_bytes_per_second: null });
  await limits({ one: UNLIMITED, three: MIB });

  from.source.freeze();
  await until("a source that is silent not to count", async () => (await arriving()) === 0);
  from.source.thaw();
  await until("it to be heard again", async () => ((await arriving()) ?? 0) > 0);
});
