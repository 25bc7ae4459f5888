/*
 * Goal: two controllers that move one guest to two hosts at once: the one that began last, before anybody
 * performed, may move it, and the other is told so; once one has performed, it is the other who is told to
 * wait. The guest is in one place throughout, also where both come to nothing. Method: the bare calls in the
 * orders that matter, and the client library twice at once.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MigrationRefused } from "@ferry/client";
import { readFault, Verdict } from "@ferry/contract";
import { TestGuest } from "../harness/guests.js";
import { move } from "../harness/move.js";
import { until } from "../harness/until.js";
import { type Bench, openBench } from "./support/bench-hosts.js";
import { NARROW, stagedSpec } from "./support/staging.js";
import { refusal, Steps } from "./support/steps.js";

let bench: Bench;
before(async () => {
  bench = await openBench({ count: 3 });
});
after(() => bench?.close());

const GONE = { graceMs: 0 };

/** A guest on the first host, and two migrations of it: to the second and to the third. */
async function stage(guestId: string) {
  const [from, two, three] = bench.hosts.all;
  assert.ok(from && two && three);
  const guest = await TestGuest.start(from, stagedSpec(guestId));
  const one = new Steps({ guestId, from, to: two });
  const other = new Steps({ guestId, from, to: three });
  return { guest, from, two, three, one, other };
}

/** Begun and prepared, with the tether held. */
async function prepare(steps: Steps): Promise<void> {
  await steps.begin();
  await bench.keep(steps.prepare()).ready();
}

/** What a Perform is told that came too late, and what is left of its migration. */
async function isSuperseded(steps: Steps, by: Steps): Promise<void> {
  const fault = readFault(await steps.perform().ended);
  assert.deepEqual([fault?.reason, fault?.verdict], ["MIGRATION_OVER", "returned"]);
  assert.match(fault?.message ?? "", new RegExp(`migration ${by.migrationId} took the lease over`));
  await steps.abandon(5_000);
  assert.equal(Verdict[(await steps.confirm(5_000)).verdict], "RETURNED");
}

test("the migration that began last wins, and the other leaves nothing behind", async () => {
  const { guest, three, one, other } = await stage("last");
  await prepare(one);
  await prepare(other);
  await isSuperseded(one, other);
  const view = other.perform();
  await view.bound();
  assert.equal(Verdict[(await other.land(20_000)).verdict], "LANDED");
  await guest.livesAt(three);
  assert.equal((await one.arrivalIn("returned")).settled, true);
  await three.client.guests.stop("last", GONE);
});

test("both come to nothing where the last one gives up, and the guest is free for a third", async () => {
  const { guest, from, two, one, other } = await stage("neither");
  await prepare(one);
  await prepare(other);
  await other.abort();
  await other.abandon(5_000);
  await isSuperseded(one, other);
  await guest.livesAt(from);
  assert.equal((await move("neither", from, two)).verdict, "landed");
  await guest.livesAt(two);
  await two.client.guests.stop("neither", GONE);
});

test("once one has performed, the other is told to wait, and then that the guest is gone", async () => {
  const { guest, two, one, other } = await stage("first");
  await prepare(one);
  const view = one.perform({ bandwidthBytesPerSecond: NARROW });
  await view.bound();
  const busy = await refusal(other.begin());
  assert.equal(busy.reason, "GUEST_BUSY");
  assert.match(busy.message, new RegExp(one.migrationId));
  assert.ok(busy.retryAfterMs !== undefined);
  await one.abort();
  await one.abandon(5_000);
  const again = new Steps({ guestId: "first", from: one.from, to: two });
  await prepare(again);
  await again.perform().bound();
  assert.equal(Verdict[(await again.land(20_000)).verdict], "LANDED");
  await again.confirm(5_000);
  await until(
    "it to be gone",
    async () => (await refusal(other.begin())).reason === "GUEST_UNKNOWN",
  );
  await guest.livesAt(two);
  await two.client.guests.stop("first", GONE);
});

test("of two that move it at once with the client library, one moves it", async () => {
  const { guest, from, two, three } = await stage("library");
  const ends = await Promise.allSettled([move("library", from, two), move("library", from, three)]);
  const at = ends.flatMap((end, index) =>
    end.status === "fulfilled" && end.value.verdict === "landed" ? [index] : [],
  );
  assert.equal(at.length, 1, JSON.stringify(ends));
  const home = at[0] === 0 ? two : three;
  await guest.livesAt(home);
  const [lost] = ends.filter((_, index) => index !== at[0]);
  if (lost?.status === "rejected") assert.ok(lost.reason instanceof MigrationRefused);
  else assert.equal(lost?.value.why?.reason, "MIGRATION_OVER");
  await home.client.guests.stop("library", GONE);
});
