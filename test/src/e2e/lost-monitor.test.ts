/*
 * Goal: a source agent that loses its QEMU's monitor in the middle of a copy, and with it what QEMU said
 * last, finds the copy again: it goes on without the agent, and its guest may stand still at the gate.
 * Method: a monitor that keeps back what QEMU says at the worst moment, and then hangs up.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../harness/until.js";
import { type Bench, openBench } from "./support/bench-hosts.js";
import { atGate, cancelOrdered, type Held, silentAfter } from "./support/late-monitor.js";
import { startFor } from "./support/staging.js";
import { Steps } from "./support/steps.js";

/** Bytes per second: the copy is under way for as long as the test looks. */
const NARROW = 64n * 1024n;

let bench: Bench;
before(async () => {
  bench = await openBench();
});
after(() => bench?.close());

/** Begun and prepared, with the tether held, and a monitor of its old QEMU that the test holds. */
async function prepared(guestId: string) {
  const [from, to] = bench.hosts.pair;
  const { guest, monitor } = await startFor("loaded", guestId, from, bench.slow);
  assert.ok(monitor);
  bench.keep(monitor);
  const steps = new Steps({ guestId, from, to });
  await steps.begin();
  const tether = bench.keep(steps.prepare());
  await tether.ready();
  return { guest, monitor, steps };
}

const MOMENTS: readonly (readonly [what: string, guestId: string, held: Held])[] = [
  ["that its guest stands at the gate", "gate", atGate],
  ["that it may go through the gate", "through", silentAfter("migrate-continue")],
  ["that it sends", "sends", silentAfter("migrate")],
];

for (const [what, guestId, held] of MOMENTS) {
  test(`a monitor that is lost before QEMU could say ${what} stops no move`, async () => {
    const { guest, monitor, steps } = await prepared(guestId);
    monitor.hold(held);
    steps.perform();
    await until("QEMU's word to be kept back", () => monitor.kept > 0);

    monitor.hangUp();

    await steps.arrivalIn("loadedReleased");
    await steps.land();
    await steps.arrivalIn("landed");
    await guest.livesAt(steps.to);
    await guest.memoryIsWhole();
    await steps.to.client.guests.stop(guestId, { graceMs: 0 });
  });
}

test("a copy that is to be given up is given up, though the order was lost with the monitor", async () => {
  const { guest, monitor, steps } = await prepared("givenup");
  steps.perform({ bandwidthBytesPerSecond: NARROW });
  await steps.departureIn("performing");
  monitor.hold(cancelOrdered);
  const aborted = steps.abort();
  await until("the order to be kept back", () => monitor.kept > 0);

  monitor.hangUp();

  await steps.departureIn("kept");
  await aborted;
  await guest.livesAt(steps.from);
  await guest.memoryIsWhole();
});
