/*
 * Goal: a guest that moves does not notice. Method: real agents on two hosts, a guest that rewrites and
 * checks its memory all the while, and its own consoles as the witness.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { migrate, type Transport } from "@ferry/client";
import { TestGuest, tickerFolder, tickerSpec } from "../harness/guests.js";
import { Hosts } from "../harness/hosts.js";

let hosts: Hosts;
before(async () => {
  hosts = await Hosts.start({ allowedPaths: [tickerFolder] });
});
after(() => hosts.close());

const transports: Transport[] = ["direct", "tunnel"];
for (const transport of transports) {
  test(`moved and moved back over ${transport}, it ticked every tick once and its memory is whole`, async () => {
    const [a, b] = hosts.pair;
    const guest = await TestGuest.start(
      a,
      tickerSpec("wanderer", { ram: 16, dirty: 32, check: 512 }),
    );
    await guest.ticksOn();
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const run = migrate({ guestId: "wanderer", from: from.client, to: to.client, transport });
      const outcome = await run.result;
      assert.equal(outcome.verdict, "landed", JSON.stringify(outcome.why));
      assert.equal(outcome.settled, true);
      await guest.livesAt(to);
      await guest.memoryIsWhole();
      console.log(outcome.durationMs, outcome.blackoutMs);
    }
    await a.client.guests.stop("wanderer", { graceMs: 0 });
    assert.deepEqual(hosts.leftovers(), []);
  });
}
