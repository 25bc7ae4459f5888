/*
 * Goal: no pump outlives the arrival it was started for, and no port stays held. Method: a tunnelled
 * arrival is cut at the instant at which its pump exists and does not listen yet, since Node is loading it.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Transport } from "@ferry/contract";
import { TestGuest } from "../harness/guests.js";
import { metricOf } from "../harness/metrics.js";
import { processesMentioning } from "../harness/processes.js";
import { until } from "../harness/until.js";
import { type Bench, openBench } from "./support/bench-hosts.js";
import { stagedSpec } from "./support/staging.js";
import { Steps } from "./support/steps.js";

let bench: Bench;
before(async () => {
  bench = await openBench();
});
after(() => bench?.close());

test("an arrival that is cut while its tunnel starts leaves no pump, and its port is free again", async () => {
  const [from, to] = bench.hosts.pair;
  const guest = await TestGuest.start(from, stagedSpec("cut"));
  const steps = new Steps({ guestId: "cut", from, to });
  await steps.begin();
  const tether = bench.keep(steps.prepare({ transport: Transport.TUNNEL }));
  const pumps = () =>
    processesMentioning(steps.migrationId).filter(({ commandLine }) => /pump/.test(commandLine));
  await until("the pump to start", () => pumps().length > 0);
  tether.cancel();
  await steps.arrivalIn("returned");
  await until("the pump to be gone", () => pumps().length === 0);
  assert.equal(await metricOf(to, "destination", "ferry_limit_used", { name: "ports" }), 0);
  await steps.abort();
  await guest.ticksOn(1);
});
