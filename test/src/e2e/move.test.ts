/*
 * Goal: a guest that moves does not notice. Method: real agents on two hosts, a guest that rewrites and
 * checks its memory all the while, and its own consoles as the witness.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Transport } from "@ferry/client";
import { TestGuest, tickerFolder, tickerSpec } from "../harness/guests.js";
import { Hosts, type TestHost } from "../harness/hosts.js";
import { move } from "../harness/move.js";

let hosts: Hosts;
before(async () => {
  hosts = await Hosts.start({
    patient: true,
    allowedPaths: [tickerFolder],
    security: "mtls",
    config: { migration: { allow_plain: true } },
  });
});
after(() => hosts.close());

/** What the source wrote of a migration that ended; its body is the file's second line. */
function endingAt({ stateDir }: TestHost, migrationId: string): { readonly arrival: string } {
  const path = join(stateDir, "endings", `${migrationId}.source.json`);
  return JSON.parse(readFileSync(path, "utf8").split("\n")[1] ?? "");
}

const transports: Transport[] = ["direct", "tunnel", "direct_plain"];
for (const transport of transports) {
  test(`moved and moved back over ${transport}, it ticked every tick once and its memory is whole`, async () => {
    const [one, two] = hosts.pair;
    const guestId = `wanderer-${transport}`;
    const spec = tickerSpec(guestId, { ram: 16, dirty: 32, check: 512 });
    const guest = await TestGuest.start(one, spec);
    await guest.ticksOn();
    for (const [from, to] of [
      [one, two],
      [two, one],
    ] as const) {
      const outcome = await move(guestId, from, to, { transport });
      assert.equal(outcome.verdict, "landed", JSON.stringify(outcome.why));
      assert.deepEqual([outcome.settled, outcome.guestAt], [true, "destination"]);
      assert.equal(outcome.guestState, "running");
      assert.ok((outcome.qemuDowntimeMs ?? 0) > 0, "its old QEMU told before it was killed");
      assert.notEqual(endingAt(from, outcome.migrationId).arrival, "0");
      await guest.livesAt(to);
      await guest.memoryIsWhole();
    }
    assert.equal(guest.consoles.homes, 3);
    await one.client.guests.stop(guestId, { graceMs: 0 });
    assert.deepEqual(hosts.leftovers(), []);
  });
}
