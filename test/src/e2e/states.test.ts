/*
 * Goal: a guest is on the other side as it was on this one, and a move that comes to nothing leaves it as
 * it was. Method: guests that are paused, too busy to follow, that end in the middle, and several at once.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { getMigration, MigrationRefused } from "@ferry/client";
import { type FaultRead, readFault } from "@ferry/contract";
import { TestGuest, tickerFolder, tickerSpec } from "../harness/guests.js";
import { Hosts } from "../harness/hosts.js";
import { move } from "../harness/move.js";
import { until } from "../harness/until.js";

let hosts: Hosts;
before(async () => {
  hosts = await Hosts.start({ patient: true, allowedPaths: [tickerFolder] });
});
after(() => hosts.close());

/** Writes more than a slow link carries, so that its copy never ends by itself. */
const BUSY = { hz: 50, ram: 32, dirty: 2_000, check: 0 } as const;
const SLOW = { bandwidthBytesPerSecond: 20_000_000 } as const;

for (const transport of ["direct", "tunnel"] as const) {
  test(`a guest that was paused lands paused over ${transport}, and runs on when told`, async () => {
    const [one, two] = hosts.pair;
    const guestId = `paused-${transport}`;
    const guest = await TestGuest.start(one, tickerSpec(guestId, { ram: 8, check: 512 }));
    await guest.ticksOn();
    await one.client.guests.pause(guestId);
    const { ticks } = guest.read();
    const outcome = await move(guestId, one, two, { transport });
    assert.deepEqual([outcome.verdict, outcome.guestState], ["landed", "paused"]);
    await guest.livesAt(two);
    assert.equal(guest.read().ticks, ticks);
    await two.client.guests.resume(guestId);
    await guest.memoryIsWhole();
    await two.client.guests.stop(guestId, { graceMs: 0 });
    assert.deepEqual(hosts.leftovers(), []);
  });
}

test("a guest too busy to follow stays at home when its move is aborted, and did not notice", async () => {
  const [one, two] = hosts.pair;
  const guest = await TestGuest.start(one, tickerSpec("busy", BUSY));
  await guest.ticksOn();
  const abort = new AbortController();
  const moving = move("busy", one, two, { ...SLOW, signal: abort.signal });
  await copying(guest);
  abort.abort();
  const outcome = await moving;
  assert.deepEqual([outcome.verdict, outcome.guestState], ["returned", "running"]);
  await guest.ticksOn();
  await one.client.guests.stop("busy", { graceMs: 0 });
  await until("nothing to be left", () => hosts.leftovers().length === 0);
});

test("a paused guest whose move is aborted stays at home, paused", async () => {
  const [one, two] = hosts.pair;
  // Paused it writes nothing, so it is the link that must be slow.
  const guest = await TestGuest.start(one, tickerSpec("still", { ram: 48 }));
  await guest.ticksOn();
  await one.client.guests.pause("still");
  const { ticks } = guest.read();
  const abort = new AbortController();
  const moving = move("still", one, two, {
    bandwidthBytesPerSecond: 2_000_000,
    signal: abort.signal,
  });
  await copying(guest);
  abort.abort();
  const outcome = await moving;
  assert.deepEqual([outcome.verdict, outcome.guestState], ["returned", "paused"]);
  assert.equal(guest.read().ticks, ticks);
  await one.client.guests.resume("still");
  await guest.ticksOn();
  await one.client.guests.stop("still", { graceMs: 0 });
  await until("nothing to be left", () => hosts.leftovers().length === 0);
});

test("a guest that powers itself down in the middle of its move is gone, and nothing is left", async () => {
  const [one, two] = hosts.pair;
  const guest = await TestGuest.start(one, tickerSpec("leaver", { ...BUSY, off: 60 }));
  await guest.ticksOn();
  const outcome = await move("leaver", one, two, SLOW);
  assert.equal(outcome.verdict, "returned", JSON.stringify(outcome.why));
  assert.equal(guest.read().end, "off");
  await until("nothing to be left", () => hosts.leftovers().length === 0);
});

test("while one controller moves a guest, another one is told that it is busy", async () => {
  const [one, two] = hosts.pair;
  const guest = await TestGuest.start(one, tickerSpec("wanted", BUSY));
  await guest.ticksOn();
  const abort = new AbortController();
  const first = move("wanted", one, two, { ...SLOW, signal: abort.signal });
  await copying(guest);
  const { migrationId } = await guest.livesAt(one);
  const bounds = { beginMs: 3_000 };
  const told = (fault: FaultRead | undefined) => {
    assert.equal(fault?.reason, "GUEST_BUSY");
    assert.equal(fault.metadata.migration_id, migrationId);
    return true;
  };
  await assert.rejects(
    move("wanted", one, two, { bounds }),
    (error: unknown) => error instanceof MigrationRefused && told(error.fault),
  );
  for (const act of ["pause", "stop"] as const) {
    await assert.rejects(one.client.guests[act]("wanted"), (error) => told(readFault(error)));
  }
  abort.abort();
  assert.equal((await first).verdict, "returned");
  await guest.ticksOn();
  await one.client.guests.stop("wanted", { graceMs: 0 });
  await until("nothing to be left", () => hosts.leftovers().length === 0);
});

test("four guests pass each other, two in each direction at once", async () => {
  const [one, two] = hosts.pair;
  const plans = [
    [one, two, "direct"],
    [two, one, "direct"],
    [one, two, "tunnel"],
    [two, one, "tunnel"],
  ] as const;
  await Promise.all(
    plans.map(async ([from, to, transport], index) => {
      const guestId = `passer-${index}`;
      const spec = tickerSpec(guestId, { ram: 8, dirty: 8, hz: 50, check: 256 });
      const guest = await TestGuest.start(from, spec);
      await guest.ticksOn();
      const outcome = await move(guestId, from, to, { transport });
      assert.equal(outcome.verdict, "landed", JSON.stringify(outcome.why));
      await guest.livesAt(to);
      await guest.memoryIsWhole();
      await to.client.guests.stop(guestId, { graceMs: 0 });
    }),
  );
  assert.deepEqual(hosts.leftovers(), []);
});

/** Waits until QEMU at home sends the guest. */
async function copying(guest: TestGuest): Promise<void> {
  const [one] = hosts.pair;
  await until("the copy to be under way", async () => {
    const { migrationId } = await guest.livesAt(one);
    if (migrationId === "") return false;
    const { phase, progress } = await getMigration(one.client.source, migrationId);
    return phase === "performing" && (progress?.transferredBytes ?? 0n) > 0n;
  });
}
