/*
 * Goal: whatever only a person can end, or only another host, is told: in the log, as a metric, and to
 * whoever lists or watches. Method: each of the three is brought about with real agents and QEMUs, and
 * asked after in all of these places; then it is mended, and told no more.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { guestRunDirectory } from "@ferry/agent-kit";
import { listMigrations } from "@ferry/client";
import { Verdict } from "@ferry/contract";
import type { AgentProcess } from "../harness/agent-process.js";
import { TestGuest } from "../harness/guests.js";
import type { TestHost } from "../harness/hosts.js";
import { metricOf } from "../harness/metrics.js";
import { signal } from "../harness/processes.js";
import { until } from "../harness/until.js";
import { type Bench, openBench } from "./support/bench-hosts.js";
import { contOrdered, LateMonitor } from "./support/late-monitor.js";
import { released } from "./support/released.js";
import { stagedSpec } from "./support/staging.js";
import { Steps } from "./support/steps.js";

let bench: Bench;
before(async () => {
  bench = await openBench({ config: { timeouts: { meet_stale_ms: 3_000 } } });
});
after(() => bench?.close());

function gauge(name: string, value: number, host: TestHost, role: "source" | "destination") {
  return until(`${name}{role="${role}"} to be ${value}`, async () => {
    return (await metricOf(host, role, `ferry_${name}`, { role })) === value;
  });
}

/** It is in the log, that often: lines are written in a moment of leisure. */
function logged(agent: AgentProcess, migrationId: string, level: string, words: RegExp, times = 1) {
  return until(`${level} ${words} in the log`, () => {
    return said(agent, migrationId, level, words) >= times;
  });
}

function said(agent: AgentProcess, migrationId: string, level: string, words: RegExp) {
  return agent
    .log()
    .filter((line) => line.migration_id === migrationId && line.level === level)
    .filter(({ msg }) => words.test(msg)).length;
}

test("a destination agent that is not there after the release is told of at the source", async () => {
  const { guest, steps } = await released(bench, "unheard");
  const { from, to, migrationId } = steps;
  await gauge("peer_silent", 0, from, "source");
  await to.destination.kill9();
  const { verdict } = await steps.departure("its reason", ({ reason }) =>
    /says nothing/.test(reason),
  );
  assert.equal(Verdict[verdict], "PENDING");
  await gauge("peer_silent", 1, from, "source");
  await logged(from.source, migrationId, "error", /stands still here/);
  assert.match(
    (await from.client.guests.get("unheard")).reason,
    /host-2\/destination says nothing/,
  );
  to.destination.start();
  await to.destination.ready();
  assert.equal(Verdict[(await steps.confirm(60_000)).verdict], "RETURNED");
  await gauge("peer_silent", 0, from, "source");
  await until("the guest to be well again", async () => {
    return (await from.client.guests.get("unheard")).reason === "";
  });
  await guest.ticksOn();
  await from.client.guests.stop("unheard", { graceMs: 0 });
});

test("a source agent that is not there is told of at the destination", async () => {
  const [from, to] = bench.hosts.pair;
  await TestGuest.start(from, stagedSpec("sourceless"));
  const steps = new Steps({ guestId: "sourceless", from, to });
  await steps.begin();
  const tether = bench.keep(steps.prepare());
  await tether.ready();
  await steps.perform({ bandwidthBytesPerSecond: 16n * 1024n }).bound();
  await steps.arrivalIn("receiving");
  await from.source.kill9();
  await steps.arrival("its reason", ({ reason }) => /host-1\/source says nothing/.test(reason));
  await gauge("peer_silent", 1, to, "destination");
  await logged(to.destination, steps.migrationId, "warn", /says nothing/);
  await steps.abandon(60_000);
  await gauge("peer_silent", 0, to, "destination");
  from.source.start();
  await from.source.ready();
  await steps.confirm(60_000);
  await from.client.guests.stop("sourceless", { graceMs: 0 });
});

const root = process.getuid?.() === 0;
test("a state directory that stays unwritable is told of, and so is who waits for it", {
  skip: root ? false : "a read-only mount needs root: NOT TESTED",
}, async () => {
  const { guest, steps } = await released(bench, "unwritable");
  const { from, to, migrationId } = steps;
  await gauge("state_directory_unwritable", 0, to, "destination");
  const thaw = readOnly(to.stateDir);
  try {
    await steps.land(); // `landing` cannot be written, so it is discarded; nor can that verdict
    await steps.arrival("its reason", ({ reason }) => /cannot be written/.test(reason));
    await gauge("state_directory_unwritable", 1, to, "destination");
    assert.ok(said(to.destination, migrationId, "error", /cannot be written/) > 0);
    const told = to.destination
      .log()
      .filter(({ level, state_dir }) => level === "error" && state_dir);
    assert.equal(told.length, 1);
  } finally {
    thaw();
  }
  assert.equal(Verdict[(await steps.confirm(60_000)).verdict], "RETURNED");
  await gauge("state_directory_unwritable", 0, to, "destination");
  await guest.ticksOn();
  await from.client.guests.stop("unwritable", { graceMs: 0 });
});

/** From now on nothing can be written there, as after an error of the disk. Answers what ends that. */
function readOnly(dir: string): () => void {
  const run = (program: string, ...args: string[]) => {
    const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
    assert.equal(status, 0, `${program} ${args.join(" ")}: ${stderr}`);
  };
  run("mount", "--bind", dir, dir);
  run("mount", "-o", "remount,bind,ro", dir);
  return () => run("umount", "--lazy", dir);
}

test("a guest that perished is told of on both hosts, and over every restart", async () => {
  const [from, to] = bench.hosts.pair;
  const guest = await TestGuest.start(from, stagedSpec("perished"));
  const steps = new Steps({ guestId: "perished", from, to });
  await steps.begin();
  bench.slow.setAside("perished", "destination.qmp");
  const tether = bench.keep(steps.prepare());
  const path = join(guestRunDirectory(to.runDir, steps.migrationId), "destination.qmp");
  const monitor = bench.keep(await LateMonitor.at(path, contOrdered));
  await tether.ready();
  await steps.perform().bound();
  await steps.land();
  await until("the order to run to be under way", () => monitor.kept > 0);
  const watching = steps.arrival("its verdict", ({ verdict }) => verdict === Verdict.PERISHED);
  signal(qemuOf(to, steps.migrationId), "SIGKILL");
  await watching;
  const departure = await steps.departure(
    "its verdict",
    ({ verdict }) => verdict === Verdict.PERISHED,
  );
  assert.equal(departure.settled, false, "nobody but a person may wake the old copy");
  for (const host of [from, to]) {
    const role = host === from ? "source" : "destination";
    await gauge("guests_perished", 1, host, role);
    await logged(host[role], steps.migrationId, "fatal", /person/);
  }
  assert.match((await from.client.guests.get("perished")).reason, /a person decides/);

  await Promise.all([from.source.restart(), to.destination.restart()]);
  const [listed] = await listMigrations(to.client.destination, "perished");
  assert.equal(Verdict[listed?.verdict ?? 0], "PERISHED");
  await steps.departure("its verdict", ({ verdict }) => verdict === Verdict.PERISHED);
  await gauge("guests_perished", 1, to, "destination");
  await gauge("guests_perished", 1, from, "source");
  await logged(to.destination, steps.migrationId, "fatal", /person/, 2);
  await logged(from.source, steps.migrationId, "fatal", /person/, 2);
  assert.ok(guest.read().ticks > 0);
});

function qemuOf(host: TestHost, migrationId: string): number {
  const path = join(guestRunDirectory(host.runDir, migrationId), "processes.json");
  return (JSON.parse(readFileSync(path, "utf8")) as { qemu: { pid: number } }).qemu.pid;
}
