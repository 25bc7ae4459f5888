/*
 * Goal: whatever there may be only so much of is refused clearly when there is as much, says which limit it
 * was, harms nobody who is there already, and is counted. Method: real agents with small limits.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { FaultRead } from "@ferry/contract";
import { TestGuest } from "../harness/guests.js";
import { metricOf } from "../harness/metrics.js";
import { until } from "../harness/until.js";
import { type Bench, openBench } from "./support/bench-hosts.js";
import { NARROW, stagedSpec } from "./support/staging.js";
import { refusal, Steps } from "./support/steps.js";

let bench: Bench;
before(async () => {
  bench = await openBench({
    config: {
      limits: {
        guests_max: 3,
        arrivals_max: 3,
        arrivals_per_caller_max: 1,
        departures_max: 3,
        departures_per_caller_max: 2,
      },
    },
  });
  for (const name of ["one", "two", "three"]) {
    await TestGuest.start(bench.hosts.pair[0], stagedSpec(name));
  }
});
after(() => bench?.close());

function steps(guestId: string): Steps {
  const [from, to] = bench.hosts.pair;
  return new Steps({ guestId, from, to });
}

async function isFor(role: "source" | "destination", name: string, fault: FaultRead | undefined) {
  assert.equal(fault?.reason, "NO_SLOT", fault?.message);
  assert.equal(fault.blockers[0]?.subject, name);
  const host = bench.hosts.pair[role === "source" ? 0 : 1];
  assert.equal(await metricOf(host, role, "ferry_limit_refusals_total", { name }), 1);
}

test("a guest too many is not started", async () => {
  const [one] = bench.hosts.pair;
  const fault = await refusal(one.client.guests.start(stagedSpec("four")));
  await isFor("source", "guests_max", fault);
  assert.equal(await metricOf(one, "source", "ferry_limit", { name: "guests_max" }), 3);
  assert.equal(await metricOf(one, "source", "ferry_limit_used", { name: "guests_max" }), 3);
});

test("a caller has only so many leaving and arriving, and may go on when one has ended", async () => {
  const [from, to] = bench.hosts.pair;
  const first = steps("one");
  const second = steps("two");
  await first.begin();
  await second.begin();
  const fault = await refusal(steps("three").begin());
  await isFor("source", "departures_per_caller_max", fault);
  assert.ok((fault.retryAfterMs ?? 0) > 0, "it says when to try again");

  const tether = bench.keep(first.prepare());
  await tether.ready();
  await isFor("destination", "arrivals_per_caller_max", await second.prepare().fault());
  const used = (name: string) => metricOf(to, "destination", "ferry_limit_used", { name });
  assert.equal(await used("arrivals_max"), 1);
  assert.equal(await used("ports"), 1);
  tether.cancel();
  await first.arrivalIn("returned");
  await first.abort();

  const again = steps("two");
  await second.abort();
  await again.begin();
  const next = bench.keep(again.prepare());
  await next.ready();
  next.cancel();
  await again.arrivalIn("returned");
  await again.abort();
  const name = "departures_per_caller_max";
  assert.equal(await metricOf(from, "source", "ferry_limit_used", { name }), 0);
});

test("of many that come at once no more are accepted than there is room for", async () => {
  const all = [steps("one"), steps("two")];
  for (const each of all) await each.begin();
  const tethers = all.map((each) => bench.keep(each.prepare()));
  const ends = await Promise.all(
    tethers.map((each) =>
      each.ready().then(
        () => "prepared",
        () => "refused",
      ),
    ),
  );
  assert.deepEqual(ends.sort(), ["prepared", "refused"]);
  for (const each of tethers) each.cancel();
  const [, to] = bench.hosts.pair;
  await until("the one that was accepted to be gone", async () => {
    return (await metricOf(to, "destination", "ferry_limit_used", { name: "arrivals_max" })) === 0;
  });
  for (const each of all) await each.abort();
});

test("of many that are started at once no more are than there is room for", async () => {
  const [one] = bench.hosts.pair;
  await one.client.guests.stop("three");
  const names = ["a", "b", "c", "d", "e"].map((letter) => `extra-${letter}`);
  const starts = await Promise.allSettled(
    names.map((name) => one.client.guests.start(stagedSpec(name))),
  );
  const refused = starts.filter(({ status }) => status === "rejected");
  assert.equal(refused.length, 4, "one is started");
  const said = await Promise.all(
    starts.map(async (start) => {
      return start.status === "fulfilled"
        ? "started"
        : (await refusal(Promise.reject(start.reason)))?.reason;
    }),
  );
  assert.deepEqual(said.sort(), ["NO_SLOT", "NO_SLOT", "NO_SLOT", "NO_SLOT", "started"]);
  assert.equal((await one.client.guests.list()).length, 3);
});

test("a caller has only so many leaving over a restart of the agent, too", async () => {
  const [from] = bench.hosts.pair;
  const leaving = ["one", "two"].map(steps);
  for (const each of leaving) {
    await each.begin();
  }
  const [first] = leaving;
  assert.ok(first);
  const tether = bench.keep(first.prepare());
  await tether.ready();
  await first.perform({ bandwidthBytesPerSecond: NARROW }).bound();
  await first.departureIn("performing");
  await from.source.restart();
  await first.departureIn("performing");
  const name = "departures_per_caller_max";
  assert.equal(await metricOf(from, "source", "ferry_limit_used", { name }), 1);
  const third = (await from.client.guests.list()).find(({ guestId }) =>
    guestId.startsWith("extra-"),
  );
  assert.ok(third);
  await steps("two").begin(); // a lease that was only begun is nobody's after a restart
  const fault = await refusal(steps(third.guestId).begin());
  assert.equal(fault?.blockers[0]?.subject, name, fault?.message);
});
