/*
 * Goal: a guest that perished waits for a person, and the person can end it: take the old copy back, or
 * give it up; either way nothing is left, at neither end. Method: real agents and QEMUs; QEMU's order to
 * run the guest is held up, and QEMU is killed, or left standing as a guest leaves it that has shut down.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { guestRunDirectory } from "@ferry/agent-kit";
import { type ConfirmOverride, Verdict } from "@ferry/contract";
import { connect } from "@ferry/qmp";
import { readAudit } from "@ferry/store";
import { TestGuest } from "../harness/guests.js";
import type { TestHost } from "../harness/hosts.js";
import { metricOf } from "../harness/metrics.js";
import { isRunning, signal } from "../harness/processes.js";
import { until } from "../harness/until.js";
import { type Bench, openBench } from "./support/bench-hosts.js";
import { ferryFor } from "./support/ferry.js";
import { contOrdered, LateMonitor } from "./support/late-monitor.js";
import { stagedSpec } from "./support/staging.js";
import { refusal, Steps } from "./support/steps.js";

let bench: Bench;
before(async () => {
  bench = await openBench();
});
after(() => bench?.close());

/** A guest that is about to land: QEMU is never told to run it. */
async function landing(guestId: string) {
  const [from, to] = bench.hosts.pair;
  const guest = await TestGuest.start(from, stagedSpec(guestId));
  const steps = new Steps({ guestId, from, to });
  await steps.begin();
  bench.slow.setAside(guestId, "destination.qmp");
  const tether = bench.keep(steps.prepare());
  const runDir = guestRunDirectory(to.runDir, steps.migrationId);
  const monitor = bench.keep(await LateMonitor.at(join(runDir, "destination.qmp"), contOrdered));
  await tether.ready();
  await steps.perform().bound();
  await steps.land();
  await until("the order to run to be under way", () => monitor.kept > 0);
  const { qemu } = JSON.parse(readFileSync(join(runDir, "processes.json"), "utf8")) as {
    qemu: { pid: number };
  };
  return { guest, steps, runDir, monitor, qemuPid: qemu.pid };
}

/** Both ends say that a person is needed. */
async function perished({ from, to, ...steps }: Steps) {
  await gauge(from, "source", 1);
  await gauge(to, "destination", 1);
  return steps;
}

function gauge(host: TestHost, role: "source" | "destination", value: number) {
  return until(`ferry_guests_perished of ${role} to be ${value}`, async () => {
    return (await metricOf(host, role, "ferry_guests_perished", { role })) === value;
  });
}

const decide = (steps: Steps, override: Partial<ConfirmOverride>) =>
  steps.standIn({ reason: "nobody saw it run there", ...override });

/** Why it is refused, and for which fields. */
async function refused(call: Promise<unknown>) {
  const { reason, fieldViolations } = await refusal(call);
  return [reason, ...(fieldViolations ?? []).map(({ field }) => field)];
}

test("a guest whose QEMU was left standing is taken back with the command, and that QEMU is ended", async () => {
  const { guest, steps, runDir, monitor, qemuPid } = await landing("standing");
  const { from, to, migrationId } = steps;
  assert.deepEqual(await refused(decide(steps, { acceptPerished: true })), ["OVERRIDE_REFUSED"]);
  await to.destination.kill9();
  // As if its order had arrived after all, and the guest had shut down under `-no-shutdown`.
  const qmp = await connect(join(runDir, "debug.qmp"), { timeoutMs: 20_000 });
  await qmp.execute("cont");
  await qmp.execute("set-action", { shutdown: "pause", reboot: "shutdown" });
  await qmp.execute("system_reset");
  await until("QEMU to refuse to go on", async () => {
    return ((await qmp.execute("query-status")) as { status: string }).status === "shutdown";
  });
  qmp.close();
  monitor.hold(() => false);
  to.destination.start();
  await to.destination.ready();
  await steps.arrivalIn("perished");
  await perished(steps);
  assert.equal(isRunning(qemuPid), true, "it is left for the person");

  const ferry = ferryFor(bench.hosts);
  const unsaid = await ferry("resolve", migrationId, "--take-back", "--reason", "why not").done;
  assert.equal(unsaid.code, 1);
  assert.match(unsaid.err, /that moment is lost[\s\S]*--accept-perished/);
  const both = await ferry("resolve", migrationId, "--take-back", "--give-up").done;
  assert.match(both.err, /exclude each other/);
  assert.equal(await metricOf(from, "source", "ferry_guests_perished", { role: "source" }), 1);

  const args = ["--take-back", "--reason", "nobody saw it", "--accept-perished", "--yes"];
  const { code, out, err } = await ferry("resolve", migrationId, ...args).done;
  assert.equal(code, 3, out + err);
  assert.match(out, /returned, it is the source's/);
  await gauge(from, "source", 0);
  await guest.livesAt(from);
  await guest.ticksOn();
  await guest.memoryIsWhole();
  await gauge(to, "destination", 0);
  await until("what perished to be gone", () => !isRunning(qemuPid) && !existsSync(runDir));

  await Promise.all([from.source.restart(), to.destination.restart()]);
  await gauge(to, "destination", 0);
  assert.equal(
    Verdict[(await steps.arrivalIn("perished")).verdict],
    "PERISHED",
    "it never changes",
  );
  const audit = await readAudit(join(from.stateDir, "audit.source.log"));
  assert.deepEqual(
    audit
      .filter((each) => each.migrationId === migrationId)
      .map(({ what, reason }) => [what, reason]),
    [["override", "perished, taken back: nobody saw it"]],
  );
  await from.client.guests.stop("standing", { graceMs: 0 });
});

test("a guest is given up: its copy is destroyed, and it may be started afresh", async () => {
  const { guest, steps, runDir, qemuPid } = await landing("given-up");
  const { from, to } = steps;
  signal(qemuPid, "SIGKILL");
  await steps.arrivalIn("perished");
  await perished(steps);
  const old = guest.qemuPid;

  const stop = from.client.guests.stop("given-up", { graceMs: 0 });
  await assert.rejects(stop, /take it back or give it up/);
  for (const override of [{ giveUp: true }, { neverLanded: true, giveUp: true }]) {
    const unsaid = await refused(decide(steps, override));
    assert.deepEqual(unsaid, ["INVALID_REQUEST", "override.accept_perished"]);
  }
  assert.equal(isRunning(old), true, "nothing was done");

  const { verdict, phase, settled } = await decide(steps, { acceptPerished: true, giveUp: true });
  assert.deepEqual([Verdict[verdict], phase, settled], ["RETURNED", "gone", true]);
  assert.equal(isRunning(old), false);
  assert.deepEqual(await from.client.guests.list(), []);
  await gauge(from, "source", 0);
  await gauge(to, "destination", 0);
  await until("what perished to be gone", () => !existsSync(runDir));
  const again = await decide(steps, { acceptPerished: true, giveUp: true });
  assert.deepEqual([Verdict[again.verdict], again.phase], ["RETURNED", "gone"]);

  await TestGuest.start(from, stagedSpec("given-up")).then((afresh) => afresh.ticksOn());
  await from.client.guests.stop("given-up", { graceMs: 0 });
  await until("nothing to be left", () => bench.hosts.leftovers().length === 0);
});
