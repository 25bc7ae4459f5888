/*
 * Goal: when something happens to a guest, the alert that a person needs fires, says of what, and goes when it is
 * mended. Method: two real hosts, a real Prometheus with the alerts as they ship (in a hurry: prometheus.ts), and
 * real faults: a controller that dies, a link that is cut, a host's agent that is killed.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, constants, existsSync, openSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Holder } from "../e2e/support/holder.js";
import { stagedSpec } from "../e2e/support/staging.js";
import { Steps } from "../e2e/support/steps.js";
import { TestGuest, tickerFolder } from "../harness/guests.js";
import { Hosts } from "../harness/hosts.js";
import { move } from "../harness/move.js";
import { until } from "../harness/until.js";
import { Prometheus } from "./prometheus.js";

let hosts: Hosts;
let prometheus: Prometheus;
before(async () => {
  // A disk that hangs is to be seen soon; a machine that is busy hangs for less.
  const timeouts = { liveness_ms: 8_000 };
  hosts = await Hosts.start({ allowedPaths: [tickerFolder], config: { timeouts } });
  prometheus = await Prometheus.start(hosts);
});
after(async () => {
  await prometheus?.end();
  await hosts?.close();
});

test("a controller that dies: FerryTethersCut says what cut the tether, and goes", async (t) => {
  const [from, to] = hosts.pair;
  await TestGuest.start(from, stagedSpec("orphaned"));
  const steps = new Steps({ guestId: "orphaned", from, to });
  const holder = new Holder();
  t.after(() => holder.end());
  await steps.begin();
  holder.prepare(steps);
  await holder.ready(steps);
  assert.equal(await prometheus.firing("FerryTethersCut"), undefined);

  await holder.kill9();
  const { labels, annotations } = await prometheus.fires("FerryTethersCut");
  assert.equal(labels.cause, "connection_lost");
  assert.equal(labels.severity, "warning");
  assert.equal(labels.instance, `${to.address}:9702`);
  assert.match(annotations.summary ?? "", /were killed: connection_lost/);
  await prometheus.resolves("FerryTethersCut");
});

test("agents cut off from each other after the release: the guest that stands still is told, and who waits", async (t) => {
  if (hosts.network.kind === "loopback") return t.skip(hosts.network.reason);
  const [from, to] = hosts.pair;
  await TestGuest.start(from, stagedSpec("stranded"));
  const steps = new Steps({ guestId: "stranded", from, to });
  await steps.begin();
  const tether = steps.prepare();
  t.after(() => tether.cancel());
  await tether.ready();
  const view = steps.perform();
  t.after(() => view.leave());
  await steps.departureIn("released");
  await steps.arrivalIn("loadedReleased");
  hosts.network.drop(to, from.address);

  // Custody was given away, and its caller orders nothing: it stands still everywhere.
  const nowhere = await prometheus.fires("FerryGuestNowhereRunning");
  assert.equal(nowhere.labels.guest_id, "stranded");
  assert.equal(nowhere.labels.migration_id, steps.migrationId);
  assert.equal(nowhere.labels.severity, "critical");
  assert.match(nowhere.annotations.runbook_url ?? "", /FerryGuestNowhereRunning/);
  await prometheus.fires("FerryPeerSilent");

  // It lands: it runs over there, and its source has yet to hear it.
  assert.equal((await steps.land(60_000)).phase, "landed");
  await prometheus.resolves("FerryGuestNowhereRunning");
  const waiting = await prometheus.fires("FerryMigrationAwaitingVerdict");
  assert.equal(waiting.labels.guest_id, "stranded");
  assert.equal(await prometheus.firing("FerryTwoOwners"), undefined);

  hosts.network.heal(to);
  await prometheus.resolves("FerryMigrationAwaitingVerdict");
  await prometheus.resolves("FerryPeerSilent");
  await steps.departureIn("departed");
  assert.equal(await prometheus.query('count(ferry_guest_owner_info{guest_id="stranded"})'), 1);
});

test("a guest that comes back from every attempt is told with its host, until it has left", async (t) => {
  const [from, to] = hosts.pair;
  await TestGuest.start(from, stagedSpec("stuck"));
  for (let attempt = 0; attempt < 3; attempt += 1) {
    assert.equal(await prometheus.firing("FerryGuestCannotLeave"), undefined);
    const steps = new Steps({ guestId: "stuck", from, to });
    await steps.begin();
    const view = steps.perform(); // nobody prepared it
    t.after(() => view.leave());
    await steps.departureIn("kept");
  }
  const { labels } = await prometheus.fires("FerryGuestCannotLeave");
  assert.equal(labels.guest_id, "stuck");
  assert.equal(labels.instance, `${from.address}:9701`);
  await move("stuck", from, to);
  await prometheus.resolves("FerryGuestCannotLeave");
});

test("a state directory that does not answer is told of both agents, and of nothing else", async (t) => {
  const [one] = hosts.pair;
  const probes = ["source", "destination"].map((role) => join(one.stateDir, `.alive.${role}`));
  // Opening a FIFO that nobody reads hangs, as a file does on storage that has gone away.
  for (const probe of probes) {
    await until("the agent to have written there", () => existsSync(probe));
    execFileSync("mkfifo", [`${probe}.fifo`]);
    renameSync(`${probe}.fifo`, probe); // at once: the agent would make a file again
  }
  const mend = () => {
    for (const probe of probes) {
      const reader = openSync(probe, constants.O_RDONLY | constants.O_NONBLOCK);
      t.after(() => closeSync(reader));
      rmSync(probe); // the next look makes a file of its own
    }
  };
  const { labels } = await prometheus.fires("FerryStateHung");
  assert.equal(labels.severity, "critical");
  const hung = "sum(ferry_state_directory_hung == 1)";
  await until("both agents to say so", async () => (await prometheus.query(hung)) === 2);
  assert.equal(await prometheus.firing("FerryStateUnwritable"), undefined);
  mend();
  await prometheus.resolves("FerryStateHung");
});

test("a source agent that is away while guests live there is told, and back again", async () => {
  const [, to] = hosts.pair;
  await TestGuest.start(to, stagedSpec("resident"));
  const known = `sum(ferry_guests{instance="${to.address}:9701"}) > 0`;
  await until("Prometheus to know of the guest", () => prometheus.query(known));
  await to.source.kill9();
  const { labels } = await prometheus.fires("FerryAgentDownWithGuests");
  assert.equal(labels.instance, `${to.address}:9701`);
  to.source.start();
  await to.source.ready();
  await prometheus.resolves("FerryAgentDownWithGuests");
});
