/*
 * Goal: a guest that was given to a host which then lost its disk is not stuck for ever, and nobody guesses:
 * the source says that its agent knows nothing, a person looks there and says so, and the guest is taken
 * back or given up. Method: real agents and QEMUs; what the destination agent had on disk is removed while
 * it is down.
 */
import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { guestRunDirectory } from "@ferry/agent-kit";
import { type ConfirmOverride, Verdict } from "@ferry/contract";
import { readAudit } from "@ferry/store";
import { TestGuest } from "../harness/guests.js";
import { metricOf } from "../harness/metrics.js";
import { isRunning } from "../harness/processes.js";
import { until } from "../harness/until.js";
import { type Bench, openBench } from "./support/bench-hosts.js";
import { ferryFor } from "./support/ferry.js";
import { released } from "./support/released.js";
import { stagedSpec } from "./support/staging.js";
import { refusal, type Steps } from "./support/steps.js";

let bench: Bench;
before(async () => {
  bench = await openBench();
});
after(() => bench?.close());

/** The destination lost all it knew: its agent answers again, and says so. */
async function forgotten(steps: Steps) {
  const { from, to, migrationId } = steps;
  await to.destination.kill9();
  const runDir = guestRunDirectory(to.runDir, migrationId);
  await until(
    "the keeper to kill what has not landed",
    () => !existsSync(join(runDir, "qemu.pid")),
  );
  for (const folder of ["arrivals", "endings"]) {
    rmSync(join(to.stateDir, folder), { recursive: true, force: true });
  }
  to.destination.start();
  await to.destination.ready();
  await steps.departure("its trouble to be told", ({ reason }) =>
    /has lost what it knew/.test(reason),
  );
  assert.equal(await metricOf(from, "source", "ferry_peer_silent", { role: "source" }), 1);
}

const decide = (steps: Steps, override: Partial<ConfirmOverride>) =>
  steps.standIn({ reason: "its disk is new", ...override });

/** Why the override is refused, in words. */
async function refused(call: Promise<unknown>): Promise<string> {
  const { reason, message } = await refusal(call);
  assert.equal(reason, "OVERRIDE_REFUSED");
  return message;
}

/** What a person ordered, as the audit log has it. */
async function ordered({ from, migrationId }: Steps) {
  const audit = await readAudit(join(from.stateDir, "audit.source.log"));
  return audit.filter((each) => each.migrationId === migrationId).map(({ reason }) => reason);
}

test("a guest whose new host lost its disk is taken back with the command, once somebody has looked there", async () => {
  const { guest, steps } = await released(bench, "taken-back");
  const { from, migrationId } = steps;
  const known = await refused(decide(steps, { neverLanded: true, forgotten: true }));
  assert.match(known, /answers: it is not gone|has not said that it knows nothing/);

  await forgotten(steps);
  const unsaid = await refused(decide(steps, { neverLanded: true }));
  assert.match(unsaid, /make sure that no QEMU of this guest is there/i);
  assert.deepEqual(await ordered(steps), [], "nothing was done");

  const ferry = ferryFor(bench.hosts);
  const args = ["resolve", migrationId, "--fenced", steps.to.name, "--reason", "its disk is new"];
  const unread = await ferry(...args, "--forgotten").done;
  assert.match(unread.err, /If a QEMU of taken-back is left on[\s\S]*--never-landed/);
  const { code, out, err } = await ferry(...args, "--forgotten", "--never-landed", "--yes").done;
  assert.equal(code, 3, out + err);
  await guest.livesAt(from);
  await guest.ticksOn();
  await guest.memoryIsWhole();
  assert.deepEqual(await ordered(steps), ["forgotten there, taken back: its disk is new"]);
  await from.client.guests.stop("taken-back", { graceMs: 0 });
});

test("a guest whose new host lost its disk is given up, if it may have run there", async () => {
  const { guest, steps } = await released(bench, "given-up");
  const { from, migrationId } = steps;
  await forgotten(steps);
  const old = guest.qemuPid;
  const ferry = ferryFor(bench.hosts);
  const args = ["resolve", migrationId, "--fenced", steps.to.name, "--reason", "nobody knows"];
  const { code, out, err } = await ferry(...args, "--forgotten", "--give-up", "--yes").done;
  assert.equal(code, 3, out + err);
  assert.equal(isRunning(old), false);
  assert.deepEqual(await from.client.guests.list(), []);
  assert.deepEqual(await ordered(steps), ["forgotten there, given up: nobody knows"]);

  const again = await decide(steps, { forgotten: true, giveUp: true });
  assert.deepEqual([Verdict[again.verdict], again.phase], ["RETURNED", "gone"]);
  await TestGuest.start(from, stagedSpec("given-up")).then((afresh) => afresh.ticksOn());
  await from.client.guests.stop("given-up", { graceMs: 0 });
});
