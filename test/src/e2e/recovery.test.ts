/*
 * Goal: an agent that dies at the worst moment loses nothing: the guests that live there do not notice,
 * and a migration goes on, or comes to nothing, as its phase demands. Method: agents are killed as the
 * kernel kills them and started again; each guest's consoles and a monitor that no agent opens tell what
 * the guest saw. Every fault at every instant is in the failure matrix; this is what one reads first.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { guestRunDirectory } from "@ferry/agent-kit";
import { migrate } from "@ferry/client";
import { FinishOrder, GuestState, Transport, Verdict } from "@ferry/contract";
import { connect, type Qmp } from "@ferry/qmp";
import { TestGuest } from "../harness/guests.js";
import { isRunning } from "../harness/processes.js";
import { until } from "../harness/until.js";
import { type Bench, openBench } from "./support/bench-hosts.js";
import { holdEnding } from "./support/held-ending.js";
import { released } from "./support/released.js";
import { NARROW, stagedSpec } from "./support/staging.js";
import { Steps } from "./support/steps.js";

let bench: Bench;
before(async () => {
  bench = await openBench();
});
after(() => bench?.close());

/** A monitor of the guest that no agent opens. */
async function watchQemu(runDir: string): Promise<{ qmp: Qmp; stops: string[] }> {
  const qmp = bench.keep(await connect(join(runDir, "debug.qmp"), { timeoutMs: 20_000 }));
  const stops: string[] = [];
  qmp.on("event", ({ event }) => {
    if (event === "STOP" || event === "RESUME") stops.push(event);
  });
  return { qmp, stops };
}

async function statusOf(qmp: Qmp): Promise<string> {
  return String(((await qmp.execute("query-migrate")) as { status?: string }).status);
}

/** A guest that is being copied, slowly. */
async function copying(guestId: string, transport = Transport.DIRECT) {
  const [from, to] = bench.hosts.pair;
  const guest = await TestGuest.start(from, stagedSpec(guestId));
  const steps = new Steps({ guestId, from, to, transport });
  const seen = await watchQemu(guestRunDirectory(from.runDir, guestId));
  await steps.begin();
  const tether = bench.keep(steps.prepare());
  await tether.ready();
  await steps.perform({ bandwidthBytesPerSecond: NARROW }).bound();
  await until("QEMU to copy", async () => (await statusOf(seen.qmp)) === "active");
  return { guest, steps, tether, ...seen };
}

test("guests that live on a host do not notice that its agents are killed, restarted or ended", async () => {
  const [host] = bench.hosts.pair;
  const guest = await TestGuest.start(host, stagedSpec("resident"));
  const { qmp, stops } = await watchQemu(guestRunDirectory(host.runDir, "resident"));
  await guest.ticksOn();
  for (const end of ["kill9", "stop"] as const) {
    await Promise.all([host.source[end](), host.destination[end]()]);
    await guest.ticksOn(); // nobody is there
    for (const agent of [host.source, host.destination]) agent.start();
    await Promise.all([host.source.ready(), host.destination.ready()]);
    const pid = guest.qemuPid;
    const found = await guest.livesAt(host);
    assert.deepEqual([found.qemuPid, GuestState[found.state]], [pid, "RUNNING"]);
    await guest.ticksOn();
  }
  assert.deepEqual(stops, [], "it stood still");
  qmp.close();
  await host.client.guests.stop("resident", { graceMs: 0 });
});

test("direct: the copy goes on without the source's agent, and is picked up", async () => {
  const { guest, steps, qmp, stops } = await copying("direct");
  await steps.from.source.kill9();
  assert.equal(await statusOf(qmp), "active");
  await guest.ticksOn(2);
  assert.equal((await steps.arrivalIn("receiving")).tethered, true);
  steps.from.source.start();
  await steps.from.source.ready();
  const view = steps.perform(); // it attaches to the copy under way
  await view.bound();
  await steps.departureIn("performing");
  await qmp.execute("migrate-set-parameters", { "max-bandwidth": 2 ** 40 });
  assert.equal(Verdict[(await steps.land(60_000)).verdict], "LANDED");
  const { verdict, settled } = await steps.confirm(60_000);
  assert.deepEqual([Verdict[verdict], settled], ["LANDED", true]);
  assert.deepEqual(stops, ["STOP"], "once, for the switchover");
  await guest.livesAt(steps.to);
  await guest.memoryIsWhole();
  await steps.to.client.guests.stop("direct", { graceMs: 0 });
});

test("tunnel: the copy fails with the source's agent, and the guest runs on", async () => {
  const { guest, steps, qmp } = await copying("tunnel", Transport.TUNNEL);
  await steps.from.source.kill9();
  await until("the copy to fail", async () => (await statusOf(qmp)) === "failed");
  await guest.ticksOn(2);
  steps.from.source.start();
  await steps.from.source.ready();
  const { verdict, settled } = await steps.confirm(60_000);
  assert.deepEqual([Verdict[verdict], settled], ["RETURNED", true]);
  await steps.arrivalIn("returned");
  await guest.ticksOn();
  await steps.from.client.guests.stop("tunnel", { graceMs: 0 });
});

for (const order of ["land", "abandon"] as const) {
  test(`released: told to ${order} while the source's agent is dead, both follow the verdict`, async () => {
    const { guest, steps } = await released(bench, `released-${order}`);
    const old = guest.qemuPid;
    await steps.from.source.kill9();
    const landed = order === "land";
    const answer = await steps[order](60_000);
    assert.equal(Verdict[answer.verdict], landed ? "LANDED" : "RETURNED");
    assert.ok(isRunning(old), "nobody was there to let go of it");
    steps.from.source.start();
    await steps.from.source.ready();
    const { verdict, settled } = await steps.confirm(60_000);
    assert.deepEqual([Verdict[verdict], settled], [landed ? "LANDED" : "RETURNED", true]);
    await guest.livesAt(landed ? steps.to : steps.from);
    assert.equal(isRunning(old), !landed);
    await guest.ticksOn();
    await guest.memoryIsWhole();
    await (landed ? steps.to : steps.from).client.guests.stop(guest.guestId, { graceMs: 0 });
  });
}

test("the destination's agent is killed before it landed: the source has the guest back by itself", async () => {
  const { guest, steps } = await released(bench, "unlanded");
  await steps.to.destination.kill9();
  await steps.to.destination.start();
  await steps.to.destination.ready();
  const { verdict, settled } = await steps.confirm(60_000);
  assert.deepEqual([Verdict[verdict], settled], ["RETURNED", true]);
  await guest.ticksOn();
  await steps.from.client.guests.stop("unlanded", { graceMs: 0 });
});

test("the source's agent is killed once the guest runs again: nobody else is needed to know so", async () => {
  const { guest, steps } = await released(bench, "taken-back");
  const { from, to, migrationId } = steps;
  const release = holdEnding(from, "source", migrationId);
  await steps.abandon(60_000);
  await steps.departureIn("resuming");
  await guest.ticksOn();
  await Promise.all([from.source.kill9(), to.destination.kill9()]);
  release();
  from.source.start();
  await from.source.ready();
  const { verdict, phase, settled } = await steps.confirm(60_000);
  assert.deepEqual([Verdict[verdict], phase, settled], ["RETURNED", "kept", true]);
  await guest.livesAt(from);
  await guest.ticksOn();
  to.destination.start();
  await to.destination.ready();
  await from.client.guests.stop("taken-back", { graceMs: 0 });
});

test("the destination's agent is killed with Finish: what it says afterwards is where the guest runs", async () => {
  const { guest, steps } = await released(bench, "instant");
  const lost = steps.land(60_000).catch(() => undefined);
  await steps.to.destination.kill9();
  await lost;
  steps.to.destination.start();
  await steps.to.destination.ready();
  const { verdict } = await steps.arrival("its verdict", ({ settled }) => settled);
  assert.notEqual(Verdict[verdict], "PERISHED", "its QEMU was not touched");
  assert.equal((await steps.confirm(60_000)).verdict, verdict);
  const home = verdict === Verdict.LANDED ? steps.to : steps.from;
  await guest.livesAt(home);
  await guest.ticksOn();
  await home.client.guests.stop("instant", { graceMs: 0 });
});

test("the destination's agent is killed after it landed: the guest does not notice", async () => {
  const { guest, steps } = await released(bench, "settled");
  assert.equal(Verdict[(await steps.land(60_000)).verdict], "LANDED");
  await guest.livesAt(steps.to);
  const { stops, qmp } = await watchQemu(guestRunDirectory(steps.to.runDir, steps.migrationId));
  const pid = guest.qemuPid;
  await steps.to.destination.restart();
  assert.equal(Verdict[(await steps.land(60_000)).verdict], "LANDED", "the same answer");
  assert.equal((await guest.livesAt(steps.to)).qemuPid, pid);
  await guest.ticksOn();
  assert.deepEqual(stops, []);
  qmp.close();
  assert.equal(Verdict[(await steps.confirm(60_000)).verdict], "LANDED");
  await steps.to.client.guests.stop("settled", { graceMs: 0 });
});

test("every answer is lost once: Perform's, Finish's and Confirm's, and nothing is done twice", async () => {
  const [from, to] = bench.hosts.pair;
  const guest = await TestGuest.start(from, stagedSpec("unheard"));
  const steps = new Steps({ guestId: "unheard", from, to });
  await steps.begin();
  const tether = bench.keep(steps.prepare());
  await tether.ready();
  steps.perform().leave();
  await steps.perform().bound();
  const unheard = AbortSignal.timeout(1);
  await steps
    .finish(FinishOrder.LAND, { wait: { $case: "waitMs", value: 60_000 } }, unheard)
    .catch(() => {});
  assert.equal(Verdict[(await steps.land(60_000)).verdict], "LANDED");
  assert.equal(Verdict[(await steps.confirm(60_000)).verdict], "LANDED");
  assert.equal(Verdict[(await steps.confirm(60_000)).verdict], "LANDED");
  assert.equal(await tether.ended, undefined);
  await guest.livesAt(to);
  await guest.ticksOn();
  await to.client.guests.stop("unheard", { graceMs: 0 });
});

test("a controller of the library takes both agents' restarts in its stride", async () => {
  const [from, to] = bench.hosts.pair;
  const guest = await TestGuest.start(from, stagedSpec("library"));
  const run = migrate({
    guestId: "library",
    from: from.client,
    to: to.client,
    bandwidthBytesPerSecond: Number(NARROW),
    downtimeLimitMs: 60_000,
  });
  const rows: string[] = [];
  let copied = false;
  const reading = (async () => {
    for await (const event of run) {
      if (event.kind === "decision") rows.push(event.row);
      copied ||= event.kind === "progress";
    }
  })();
  await until("the copy to be under way", () => copied);
  await from.source.restart();
  const qmp = bench.keep(
    await connect(join(guestRunDirectory(from.runDir, "library"), "debug.qmp"), {
      timeoutMs: 20_000,
    }),
  );
  await qmp.execute("migrate-set-parameters", { "max-bandwidth": 2 ** 40 });
  const outcome = await run.result;
  await reading;
  assert.equal(outcome.verdict, "landed", JSON.stringify(outcome.why));
  assert.ok(rows.includes("perform-silence"), rows.join(" "));
  await guest.livesAt(to);
  await guest.memoryIsWhole();
  await to.client.guests.stop("library", { graceMs: 0 });
  await until("nothing to be left", () => bench.hosts.leftovers().length === 0);
});
