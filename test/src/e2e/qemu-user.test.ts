/*
 * Goal: a QEMU that is a user of its own is started, moved away and moved to, over every transport, and
 * found again by an agent that was restarted; and it can do nothing that user could not. Method: real
 * hosts as root, and Debian's nobody.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Transport } from "@ferry/client";
import { TestGuest, tickerFolder, tickerSpec } from "../harness/guests.js";
import { Hosts, type TestHost } from "../harness/hosts.js";
import { move } from "../harness/move.js";
import { processesMentioning } from "../harness/processes.js";

const asRoot = { skip: process.getuid?.() === 0 ? false : "only root may become somebody else" };
const NOBODY = execFileSync("id", ["-u", "nobody"], { encoding: "utf8" }).trim();

let hosts: Hosts;
before(async () => {
  hosts = await Hosts.start({
    patient: true,
    allowedPaths: [tickerFolder],
    security: "mtls",
    config: { migration: { allow_plain: true }, qemu: { user: "nobody" } },
  });
  // Hosts' folders are mkdtemp's, 0700: an operator gives /run to everybody.
  chmodSync(hosts.dir, 0o711);
});
after(() => hosts?.close());

/** What the kernel says of the one QEMU there. */
function statusOf(host: TestHost): string {
  const [qemu] = processesMentioning(`${host.runDir}/`).filter(({ commandLine }) =>
    /^\S*qemu-system/.test(commandLine),
  );
  assert.ok(qemu, "a QEMU runs there");
  return readFileSync(join("/proc", String(qemu.pid), "status"), "utf8");
}

function isNobody(host: TestHost): void {
  const status = statusOf(host);
  assert.match(
    status,
    new RegExp(`^Uid:\\s+${NOBODY}\\s+${NOBODY}\\s+${NOBODY}\\s+${NOBODY}$`, "m"),
  );
  assert.match(status, /^CapEff:\s+0+$/m);
  assert.match(status, /^CapPrm:\s+0+$/m);
  assert.match(status, /^NoNewPrivs:\s+1$/m, "no program gives it back what it dropped");
  assert.match(status, /^Seccomp:\s+2$/m);
}

const transports: Transport[] = ["direct", "tunnel", "direct_plain"];
for (const transport of transports) {
  test(`as nobody, over ${transport}: there, back, and found by new agents`, asRoot, async () => {
    const [one, two] = hosts.pair;
    const guestId = `unprivileged-${transport}`;
    const guest = await TestGuest.start(
      one,
      tickerSpec(guestId, { ram: 16, dirty: 32, check: 512 }),
    );
    await guest.ticksOn();
    isNobody(one);
    for (const [from, to] of [
      [one, two],
      [two, one],
    ] as const) {
      if (transport === "direct")
        await Promise.all([from.source.restart(), to.destination.restart()]);
      const outcome = await move(guestId, from, to, { transport });
      assert.equal(outcome.verdict, "landed", JSON.stringify(outcome.why));
      assert.equal(outcome.settled, true);
      await guest.livesAt(to);
      await guest.memoryIsWhole();
      isNobody(to);
    }
    await one.client.guests.stop(guestId, { graceMs: 0 });
    assert.deepEqual(hosts.leftovers(), []);
  });
}
