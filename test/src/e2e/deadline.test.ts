/*
 * Goal: a migration that may take only so long is ended by the book when its time is over, the guest runs
 * on where it is, and a deadline that comes after custody was given away changes nothing. Method: real
 * agents and QEMUs, copies too narrow to end, and an agent that is killed while its deadline runs.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Transport, Verdict } from "@ferry/contract";
import { TestGuest } from "../harness/guests.js";
import { move } from "../harness/move.js";
import { until } from "../harness/until.js";
import { type Bench, openBench } from "./support/bench-hosts.js";
import { NARROW, stagedSpec } from "./support/staging.js";
import { refusal, Steps } from "./support/steps.js";

const DAY_MS = 24 * 3_600_000;

let bench: Bench;
before(async () => {
  bench = await openBench();
});
after(() => bench?.close());

/** A guest at the first host, and its migration, prepared. */
async function prepared(guestId: string, transport = Transport.DIRECT) {
  const [from, to] = bench.hosts.pair;
  const guest = await TestGuest.start(from, stagedSpec(guestId));
  const steps = new Steps({ guestId, from, to, transport });
  await steps.begin();
  const tether = bench.keep(steps.prepare());
  await tether.ready();
  return { guest, steps };
}

test("its time over, the copy is ended, both ends say so, and the guest never noticed", async () => {
  const { guest, steps } = await prepared("late");
  const view = steps.perform({ bandwidthBytesPerSecond: NARROW, timeoutMs: 1_500 });
  await view.ended;
  const failed = view.said("failed")?.event;
  assert.equal(failed?.$case, "failed");
  assert.equal(failed.value.reason, "MIGRATION_TIMEOUT");
  assert.match(failed.value.description, /was to be over by .* the guest stays here/);
  assert.equal(failed.value.guestKept, true);
  await steps.departureIn("kept");
  await steps.arrivalIn("returned");
  await guest.ticksOn();
  const outcome = await move("late", steps.from, steps.to);
  assert.equal(outcome.verdict, "landed", "it can leave afterwards");
});

test("a restarted agent keeps the deadline its predecessor was given", async () => {
  const { guest, steps } = await prepared("orphaned");
  const view = steps.perform({ bandwidthBytesPerSecond: NARROW, timeoutMs: 6_000 });
  await view.bound();
  await steps.departure("bytes to move", ({ progress }) => (progress?.transferredBytes ?? 0n) > 0n);
  await steps.from.source.restart();
  const kept = await steps.departureIn("kept");
  assert.match(kept.reason, /was to be over by/);
  await steps.arrivalIn("returned");
  await guest.ticksOn();
});

test("after custody was given away it is too late: the guest lands all the same", async () => {
  const { steps } = await prepared("landing");
  const view = steps.perform({ timeoutMs: 8_000 });
  await steps.departureIn("released");
  view.leave();
  const { startedAt } = await steps.departureIn("released");
  assert.ok(startedAt !== undefined);
  await until("its time to be over", () => Date.now() > startedAt.getTime() + 9_000);
  assert.equal(Verdict[(await steps.land(30_000)).verdict], "LANDED");
  assert.equal(Verdict[(await steps.confirm(30_000)).verdict], "LANDED");
});

test("a time limit beyond what can be kept is refused, and the guest is as before", async () => {
  const { guest, steps } = await prepared("unbounded");
  const view = steps.perform({ timeoutMs: 25 * DAY_MS });
  const fault = await refusal(view.ended.then((error) => Promise.reject(error)));
  assert.equal(fault.reason, "INVALID_REQUEST");
  assert.match(fault.message, /24 days/);
  await steps.abort();
  await guest.ticksOn();
});

test("migrate() ends by its own time limit, and says why", async () => {
  const [from, to] = bench.hosts.pair;
  const guest = await TestGuest.start(from, stagedSpec("hurried"));
  const outcome = await move("hurried", from, to, {
    bandwidthBytesPerSecond: Number(NARROW),
    timeoutMs: 4_000,
    transport: "tunnel",
  });
  assert.equal(outcome.verdict, "returned");
  assert.equal(outcome.why?.reason, "MIGRATION_TIMEOUT", JSON.stringify(outcome));
  assert.equal(outcome.guestState, "running");
  await guest.ticksOn();
});
