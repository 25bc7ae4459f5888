/*
 * Goal: a controller that says everything twice, is there twice, or mixes things up may fail to move a
 * guest, and cannot hurt it. Method: the bare calls, repeated, doubled and crossed, on real hosts; the
 * guest's own consoles tell whether it noticed.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { guestRunDirectory } from "@ferry/agent-kit";
import { AbortOutcome, DiskFormat, GuestState, readFault, Verdict } from "@ferry/contract";
import { connect } from "@ferry/qmp";
import { linuxGuest, readLinux } from "../guests/linux.js";
import { linuxSpec, TestGuest, tickerSpec } from "../harness/guests.js";
import type { TestHost } from "../harness/hosts.js";
import { move } from "../harness/move.js";
import { until } from "../harness/until.js";
import { type Bench, openBench } from "./support/bench-hosts.js";
import { HeldTether } from "./support/held-tether.js";
import { NARROW, stagedSpec } from "./support/staging.js";
import { refusal, Steps } from "./support/steps.js";

let bench: Bench;
let linux: Awaited<ReturnType<typeof linuxGuest>>;
before(async () => {
  linux = await linuxGuest();
  bench = await openBench({ count: 3, allowedPaths: [dirname(linux.kernelPath)] });
});
after(() => bench?.close());

function three(): readonly [TestHost, TestHost, TestHost] {
  const [one, two, other] = bench.hosts.all;
  if (one === undefined || two === undefined || other === undefined) throw new Error("not three");
  return [one, two, other];
}

const NARROWLY = { bandwidthBytesPerSecond: NARROW };

/** Begun and prepared, with the tether held. */
async function prepared(guestId: string, migrationId = randomUUID()) {
  const [from, to] = three();
  const guest = await TestGuest.start(from, stagedSpec(guestId));
  const steps = new Steps({ guestId, from, to, migrationId });
  await steps.begin();
  const tether = bench.keep(steps.prepare());
  await tether.ready();
  return { guest, steps, tether };
}

const GONE = { graceMs: 0 };

describe("a controller that", { concurrency: 3 }, () => {
  test("prepares a guest under two ids at once hears of the other, and holds no tether of its own", async () => {
    const [from, to] = three();
    await TestGuest.start(from, stagedSpec("crossed-ids"));
    const one = new Steps({ guestId: "crossed-ids", from, to });
    await one.begin();
    const other = new Steps({ guestId: "crossed-ids", from, to });
    other.description = one.description;
    const tethers = [bench.keep(one.prepare()), bench.keep(other.prepare())];
    const ends = await Promise.allSettled(tethers.map((tether) => tether.ready()));
    const lost = ends.flatMap((end) => (end.status === "rejected" ? [readFault(end.reason)] : []));
    assert.deepEqual(
      lost.map((fault) => fault?.reason),
      ["GUEST_RESIDENT_HERE"],
    );
    assert.match(lost[0]?.message ?? "", /it is arriving already, in migration [0-9a-f-]{36}/);
    await one.abort();
    for (const steps of [one, other]) await steps.abandon().catch(() => {}); // one was never accepted
    await from.client.guests.stop("crossed-ids", GONE);
  });

  test("says everything twice moves the guest once", async () => {
    const { guest, steps, tether } = await prepared("twice");
    await steps.begin();
    const one = steps.perform(NARROWLY);
    await one.bound();
    const other = steps.perform(NARROWLY);
    await other.bound();
    one.leave(); // a view: the copy goes on
    await steps.departureIn("performing");
    const last = steps.perform();
    await last.bound();
    const early = await Promise.all([steps.land(), steps.land()]);
    assert.deepEqual(
      early.map(({ verdict }) => Verdict[verdict]),
      ["PENDING", "PENDING"],
    );
    await steps.arrivalIn("receivingOrdered");

    // Begun anew without a limit, since a limit is Perform's first caller's to set.
    assert.equal(AbortOutcome[(await steps.abort()).outcome], "ABORTED");
    assert.equal(AbortOutcome[(await steps.abort()).outcome], "ABORTED");
    assert.ok((await tether.fault())?.verdict === "returned");
    const first = await steps.abandon();
    assert.deepEqual({ ...(await steps.abandon()) }, { ...first });

    const again = new Steps({ guestId: guest.guestId, from: steps.from, to: steps.to });
    await again.begin();
    const held = bench.keep(again.prepare());
    await held.ready();
    const views = [again.perform(), again.perform()];
    await Promise.all(views.map((view) => view.bound()));
    const landed = await Promise.all([again.land(60_000), again.land(60_000), again.land(60_000)]);
    assert.deepEqual(
      landed.map(({ verdict }) => Verdict[verdict]),
      ["LANDED", "LANDED", "LANDED"],
    );
    const confirmed = await Promise.all([again.confirm(60_000), again.confirm(60_000)]);
    for (const { verdict, settled } of confirmed) {
      assert.deepEqual([Verdict[verdict], settled], ["LANDED", true]);
    }
    assert.equal(Verdict[(await again.abandon()).verdict], "LANDED");
    assert.equal(AbortOutcome[(await again.abort()).outcome], "TOO_LATE");
    assert.equal(await held.ended, undefined);
    await guest.livesAt(steps.to);
    await guest.memoryIsWhole();
    await steps.to.client.guests.stop(guest.guestId, GONE);
  });

  test("is there twice moves the guest to one place", async () => {
    const [from, to, other] = three();
    const guest = await TestGuest.start(from, stagedSpec("contested"));
    const bounds = { beginMs: 5_000 };
    const outcomes = await Promise.allSettled(
      [to, other].map((target) => move(guest.guestId, from, target, { bounds })),
    );
    const homes = await Promise.all(
      three().map(async ({ client, name }) => {
        const there = (await client.guests.list()).some(({ guestId }) => guestId === guest.guestId);
        return there ? [name] : [];
      }),
    );
    assert.equal(homes.flat().length, 1, `it lives at ${homes.flat()}`);
    const landed = outcomes.filter(
      (it) => it.status === "fulfilled" && it.value.verdict === "landed",
    );
    assert.ok(landed.length <= 1);
    const home = three().find(({ name }) => homes.flat().includes(name));
    if (home === undefined) throw new Error("it lives nowhere");
    assert.equal(home.name === from.name, landed.length === 0, "the verdict tells where it is");
    await guest.livesAt(home);
    await guest.ticksOn();
    await home.client.guests.stop(guest.guestId, GONE);
  });

  test("prepares a live id again is refused, and however that one ends, the first goes on", async () => {
    const { guest, steps, tether } = await prepared("held");
    const { address } = steps.to.client.destination;
    for (const end of ["refused", "cancelled", "deadline"] as const) {
      const options = end === "deadline" ? { deadlineMs: 200 } : {};
      const second = new HeldTether(address, steps.opening({ heartbeatIntervalMs: 100 }), options);
      if (end === "cancelled") second.cancel();
      if (end === "refused") assert.equal((await second.fault())?.reason, "TETHER_HELD");
      await second.ended;
    }
    // Another guest's description under the same id is no better.
    const description = { ...steps.opening().description, spec: stagedSpec("somebody-else") };
    const crossed = steps.prepare({ description: description as never });
    assert.equal((await crossed.fault())?.reason, "TETHER_HELD");
    assert.equal((await steps.arrivalIn("prepared")).tethered, true);
    tether.halfClose(); // not an end either
    await steps.perform().bound();
    assert.equal(Verdict[(await steps.land(60_000)).verdict], "LANDED");
    assert.equal(await tether.ended, undefined);
    await guest.livesAt(steps.to);
    await guest.ticksOn();
    await steps.to.client.guests.stop(guest.guestId, GONE);
  });

  test("prepares two destinations under one id binds one, and the other's guest is returned", async () => {
    const [, , other] = three();
    const { guest, steps, tether } = await prepared("forked");
    const fork = new Steps({ ...steps, to: other });
    fork.description = steps.description;
    const forked = bench.keep(fork.prepare());
    await forked.ready();
    await steps.perform(NARROWLY).bound();
    const fault = await fork.perform(NARROWLY).ended;
    assert.match(String(fault), /is bound to host-2\/destination/);
    assert.equal((await refusal(fork.land())).reason, "NOT_YET", "nobody met that one");
    await fork.abandon(30_000);
    assert.deepEqual([(await forked.fault())?.verdict], ["returned"]);
    await steps.arrivalIn("receiving"); // and it harmed nobody
    await steps.departureIn("performing");
    tether.cancel();
    assert.equal(Verdict[(await steps.confirm(60_000)).verdict], "RETURNED");
    await guest.ticksOn();
  });

  test("uses an id again for something else is told so", async () => {
    const [from, to, other] = three();
    const { guest, steps, tether } = await prepared("first");
    const second = await TestGuest.start(from, stagedSpec("second"));
    const crossed = new Steps({ guestId: "second", from, to, migrationId: steps.migrationId });
    assert.equal((await refusal(crossed.begin())).reason, "ID_CONFLICT");
    await steps.perform(NARROWLY).bound();
    const elsewhere = new Steps({ ...steps, to: other });
    assert.match(String(await elsewhere.perform().ended), /a retry elsewhere is a new id/);
    const hastier = readFault(await steps.perform({ downtimeLimitMs: 7 }).ended);
    assert.equal(hastier?.reason, "ID_CONFLICT");
    assert.match(hastier.message, /downtime_limit_ms is 300, not 7/);
    for (const repeated of [NARROWLY, {}, { downtimeLimitMs: 300 }]) {
      await steps.perform(repeated).bound();
    }
    await steps.arrivalIn("receiving");
    tether.cancel();
    assert.equal(Verdict[(await steps.confirm(60_000)).verdict], "RETURNED");
    assert.equal((await refusal(crossed.begin())).reason, "ID_CONFLICT", "also after the end");
    assert.equal((await refusal(steps.begin())).reason, "MIGRATION_OVER");
    await Promise.all([guest.ticksOn(), second.ticksOn()]);
  });
});

describe("a guest that", { concurrency: 3 }, () => {
  test("was paused is returned paused, after it was given away", async () => {
    const [from, to] = three();
    const guest = await TestGuest.start(from, stagedSpec("still"), { paused: true });
    const steps = new Steps({ guestId: "still", from, to });
    await steps.begin();
    const tether = bench.keep(steps.prepare());
    await tether.ready();
    await steps.perform().bound();
    await steps.arrivalIn("loadedReleased");
    await steps.abandon();
    const { verdict, settled } = await steps.confirm(60_000);
    assert.deepEqual([Verdict[verdict], settled], ["RETURNED", true]);
    assert.equal(GuestState[(await guest.livesAt(from)).state], "PAUSED");
    assert.equal(guest.read().ticks, 0, "it ran");
    await from.client.guests.resume("still");
    await guest.ticksOn();
  });

  for (const phase of ["begun", "prepared", "performing", "landed"] as const) {
    test(`powers itself down while it is ${phase} is gone, and nothing is left`, async () => {
      const [from, to] = three();
      const guestId = `off-${phase}`;
      const guest = await TestGuest.start(from, stagedSpec(guestId));
      await guest.ticksOn(1);
      const steps = new Steps({ guestId, from, to });
      await steps.begin();
      if (phase !== "begun") {
        const tether = bench.keep(steps.prepare());
        await tether.ready();
      }
      if (phase === "performing") await steps.perform(NARROWLY).bound();
      if (phase === "landed") {
        await steps.perform().bound();
        assert.equal(Verdict[(await steps.land(60_000)).verdict], "LANDED");
        await steps.confirm(60_000);
        await guest.livesAt(to);
        await powerDown(guestRunDirectory(to.runDir, steps.migrationId));
      } else {
        await powerDown(guestRunDirectory(from.runDir, guestId));
      }
      await until("it to power down", () => guest.read().end === "off");
      if (phase === "prepared") await steps.abandon(30_000);
      const { verdict, settled } = await steps.confirm(60_000);
      const wanted = phase === "landed" ? "LANDED" : "RETURNED";
      assert.deepEqual([Verdict[verdict], settled], [wanted, true]);
      await until("nothing of it to be listed", async () => {
        const lists = await Promise.all([from, to].map(({ client }) => client.guests.list()));
        return !lists.flat().some((each) => each.guestId === guestId);
      });
      if (phase === "performing") await steps.arrivalIn("returned");
    });
  }

  test("crashes in the middle is moved all the same: it boots again, as on a machine of its own", async () => {
    const [from, to] = three();
    const spec = tickerSpec("crasher", { hz: 50, ram: 4, crash: 40, memoryMib: 32 });
    const guest = await TestGuest.start(from, spec);
    const boots = () => guest.consoles.text().match(/^boot /gm)?.length ?? 0;
    await until("its first boot", () => boots() >= 1);
    const outcome = await move("crasher", from, to);
    assert.equal(outcome.verdict, "landed", JSON.stringify(outcome.why));
    await guest.livesAt(to);
    const before = boots();
    await until("one more boot", () => boots() > before);
    await to.client.guests.stop("crasher", GONE);
  });

  test("has a disk and is returned after it was given away writes on, and its image is sound", async () => {
    const [from, to] = three();
    mkdirSync(join(bench.hosts.dir, "shared"), { recursive: true });
    const path = join(bench.hosts.dir, "shared", "returned.qcow2");
    execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", path, "4M"]);
    const disk = { diskId: "root", path, format: DiskFormat.QCOW2, readOnly: false };
    const guest = await TestGuest.start(from, linuxSpec("writer", linux, [disk]));
    await writesOn(guest);
    for (let round = 0; round < 2; round += 1) {
      const steps = new Steps({ guestId: "writer", from, to });
      await steps.begin();
      const tether = bench.keep(steps.prepare());
      await tether.ready();
      await steps.perform().bound();
      await steps.arrivalIn("loadedReleased");
      tether.cancel();
      const { verdict, settled } = await steps.confirm(60_000);
      assert.deepEqual([Verdict[verdict], settled], ["RETURNED", true]);
      await writesOn(guest);
    }
    await from.client.guests.stop("writer", GONE);
    execFileSync("qemu-img", ["check", "-q", "-f", "qcow2", path]); // throws if it is not
  });
});

/** Presses its power button. */
async function powerDown(runDir: string): Promise<void> {
  const qmp = await connect(join(runDir, "debug.qmp"), { timeoutMs: 20_000 });
  await qmp.execute("system_powerdown");
  qmp.close();
}

/** Waits until the guest has written to its disk, and read back what it wrote. */
async function writesOn(guest: TestGuest): Promise<void> {
  const from = readLinux(guest.consoles.text()).onDisk;
  await until(
    "it to write on its disk",
    () => readLinux(guest.consoles.text()).onDisk >= from + 5,
    120_000,
  );
}
