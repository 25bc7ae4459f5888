/*
 * Goal: in every phase of a departure, every call a controller can make at the source gets the answer
 * that the contract promises, and harms nothing. Method: a guest is held in each phase, and the calls
 * are made one after the other, Abort last, since it is the one that may move something.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { guestRunDirectory } from "@ferry/agent-kit";
import { AbortOutcome, Verdict } from "@ferry/contract";
import type { SourcePhase } from "@ferry/protocol";
import { TestGuest } from "../harness/guests.js";
import { parentOf, signal } from "../harness/processes.js";
import { until } from "../harness/until.js";
import { type Bench, openBench } from "./support/bench-hosts.js";
import { holdEnding } from "./support/held-ending.js";
import type { HeldTether } from "./support/held-tether.js";
import {
  completed,
  contOrdered,
  LateMonitor,
  migrateOrdered,
  silentAfter,
} from "./support/late-monitor.js";
import { NARROW, stagedSpec } from "./support/staging.js";
import { refusal, Steps, told } from "./support/steps.js";

interface Answers {
  /** Begin under the same id: "leased", or a fault. */
  readonly begin: string;
  /** Perform with the same parameters: the last thing it says at once, "silent", or a fault. */
  readonly perform: string;
  /** Confirm, answered at once: the verdict, or a fault. */
  readonly confirm: string;
  /** Abort: what became of it, or a fault. */
  readonly abort: string;
}

const COPYING: Answers = {
  begin: "leased",
  perform: "bound",
  confirm: "pending",
  abort: "UNDER_WAY",
};
const GIVEN: Answers = {
  begin: "leased",
  perform: "released",
  confirm: "pending",
  abort: "TOO_LATE",
};
const KEPT: Answers = {
  begin: "MIGRATION_OVER",
  perform: "failed",
  confirm: "returned",
  abort: "ABORTED",
};

/** `givingUp` is in perished.test.ts: what leads there is a person. */
const ANSWERS: { readonly [P in Exclude<SourcePhase, "givingUp">]: Answers } = {
  idle: {
    begin: "leased",
    perform: "MIGRATION_UNKNOWN",
    confirm: "MIGRATION_UNKNOWN",
    abort: "MIGRATION_UNKNOWN",
  },
  begun: { begin: "leased", perform: "bound", confirm: "pending", abort: "ABORTED" },
  meeting: { begin: "leased", perform: "silent", confirm: "pending", abort: "ABORTED" },
  performing: { ...COPYING, abort: "ABORTED" },
  cancelling: { ...COPYING, begin: "GUEST_UNFIT" }, // its QEMU does not answer: that is what holds it
  retaking: COPYING,
  reclaimed: { begin: "leased", perform: "failed", confirm: "pending", abort: "ABORTED" },
  released: GIVEN,
  bereft: { ...GIVEN, begin: "GUEST_NOT_RUNNING" },
  resuming: { ...GIVEN, abort: "UNDER_WAY" },
  destroying: { ...GIVEN, begin: "GUEST_NOT_RUNNING" },
  kept: KEPT,
  lost: {
    begin: "GUEST_NOT_RUNNING",
    perform: "failed",
    confirm: "pending",
    abort: "ABORTED",
  },
  gone: KEPT,
  departed: {
    begin: "MIGRATION_OVER",
    perform: "released",
    confirm: "landed",
    abort: "TOO_LATE",
  },
};

let bench: Bench;
before(async () => {
  bench = await openBench();
});
after(() => bench?.close());

interface Leaving {
  readonly guest: TestGuest;
  readonly steps: Steps;
  readonly tether: HeldTether;
  /** Between its source's agent and its QEMU. */
  readonly monitor: LateMonitor;
  /** Between its destination's agent and its QEMU, if asked for. */
  readonly there: LateMonitor | undefined;
}

interface LeaveOptions {
  readonly narrow?: boolean;
  /** The destination's agent does not hear that its QEMU has everything. */
  readonly late?: boolean;
}

/** A guest with a late monitor, prepared and leased. */
async function leave(name: string, { late = false }: LeaveOptions = {}): Promise<Leaving> {
  const { hosts, slow } = bench;
  const [from, to] = hosts.pair;
  const steps = new Steps({ guestId: name, from, to });
  slow.setAside(name, "source.qmp");
  const home = join(guestRunDirectory(from.runDir, name), "source.qmp");
  const [guest, monitor] = await Promise.all([
    TestGuest.start(from, stagedSpec(name)),
    LateMonitor.at(home, () => false).then(bench.keep),
  ]);
  if (late) slow.setAside(name, "destination.qmp");
  await steps.begin();
  const tether = bench.keep(steps.prepare());
  const path = join(guestRunDirectory(to.runDir, steps.migrationId), "destination.qmp");
  const there = late ? bench.keep(await LateMonitor.at(path, completed)) : undefined;
  await tether.ready();
  return { guest, steps, tether, monitor, there };
}

/** Perform, as far as `performing`; and as far as nothing is held, further. */
async function perform({ steps }: Leaving, { narrow = false }: LeaveOptions = {}): Promise<void> {
  const shape = narrow ? { bandwidthBytesPerSecond: NARROW } : { downtimeLimitMs: 60_000 };
  const view = steps.perform(shape);
  await view.bound();
  view.leave();
}

/** Makes the calls, and compares. The phase must be the same before the last. */
async function ask({ steps }: Pick<Leaving, "steps">, phase: keyof typeof ANSWERS): Promise<void> {
  const { begin, perform, confirm, abort } = ANSWERS[phase];
  await steps.departureIn(phase);

  assert.equal(await told(steps.begin(), () => "leased"), begin, "Begin");

  const view = steps.perform();
  if (perform === "silent") {
    await steps.departureIn(phase);
    assert.deepEqual(view.events, [], "Perform");
  } else {
    const kind = perform as "bound" | "failed" | "released"; // what ANSWERS has of a known id
    await until(`Perform to say ${perform}`, () => view.said(kind));
  }
  view.leave();

  assert.equal(Verdict[(await steps.confirm()).verdict].toLowerCase(), confirm, "Confirm");
  await steps.departureIn(phase);
  assert.equal(AbortOutcome[(await steps.abort()).outcome], abort, "Abort");
}

async function isHome({ guest, steps }: Leaving): Promise<void> {
  const { verdict, settled } = await steps.confirm(60_000);
  assert.deepEqual([Verdict[verdict], settled], ["RETURNED", true]);
  await guest.ticksOn(2);
}

async function isThere({ guest, steps }: Leaving): Promise<void> {
  const { verdict, settled } = await steps.confirm(60_000);
  assert.deepEqual([Verdict[verdict], settled], ["LANDED", true]);
  const [, to] = bench.hosts.pair;
  await guest.livesAt(to);
  await guest.ticksOn(2);
}

describe("what a source answers", { concurrency: 3 }, () => {
  test("idle", async () => {
    const [from, to] = bench.hosts.pair;
    const guest = await TestGuest.start(from, stagedSpec("idle"));
    const steps = new Steps({ guestId: "idle", from, to });
    const { perform, confirm, abort } = ANSWERS.idle;
    assert.match(String(await steps.perform().ended), /no migration .* was begun here/);
    assert.equal(perform, "MIGRATION_UNKNOWN");
    assert.equal((await refusal(steps.confirm())).reason, confirm);
    assert.equal((await refusal(steps.abort())).reason, abort);
    await guest.ticksOn(2);
  });

  test("begun, kept before anything was prepared", async () => {
    const [from, to] = bench.hosts.pair;
    const guest = await TestGuest.start(from, stagedSpec("begun"));
    const steps = new Steps({ guestId: "begun", from, to });
    await steps.begin();
    await steps.begin();
    const { confirm, abort } = ANSWERS.begun; // Perform is every other test's first step
    assert.equal(Verdict[(await steps.confirm()).verdict].toLowerCase(), confirm);
    assert.equal(AbortOutcome[(await steps.abort()).outcome], abort);
    const over = await refusal(steps.begin());
    assert.deepEqual([over.reason, over.verdict], ["MIGRATION_OVER", "returned"]);
    assert.match(String(await steps.perform().ended), /is over \(returned\)/);
    await guest.ticksOn(2);
  });

  test("meeting", async () => {
    const { hosts, slow } = bench;
    const [from, to] = hosts.pair;
    const guest = await TestGuest.start(from, stagedSpec("meeting"));
    const steps = new Steps({ guestId: "meeting", from, to });
    slow.holdStart("meeting"); // it has no port to name yet
    await steps.begin();
    const tether = steps.prepare();
    await steps.arrivalIn("preparing");
    const view = steps.perform();
    await ask({ steps }, "meeting");
    await until("Perform to say `failed`", () => view.said("failed"));
    slow.letStart("meeting");
    tether.cancel();
    await steps.arrivalIn("returned");
    await guest.ticksOn(2);
  });

  test("performing, kept", async () => {
    const leaving = await leave("performing");
    await perform(leaving, { narrow: true });
    await ask(leaving, "performing");
    await ask(leaving, "kept");
    await isHome(leaving);
  });

  test("cancelling, retaking, reclaimed", async () => {
    const leaving = await leave("cancelling");
    const { steps, monitor } = leaving;
    monitor.hold(silentAfter("migrate-continue"));
    await perform(leaving);
    await steps.arrivalIn("loaded");
    await steps.abort();
    await ask(leaving, "cancelling");
    const releaseEnding = holdEnding(steps.to, "destination", steps.migrationId);
    monitor.release();
    monitor.hold(contOrdered);
    await ask(leaving, "retaking");
    monitor.release();
    await ask(leaving, "reclaimed");
    releaseEnding();
    await isHome(leaving);
  });

  test("released, resuming", async () => {
    const leaving = await leave("released");
    const { steps, monitor } = leaving;
    await perform(leaving);
    await ask(leaving, "released");
    await steps.arrivalIn("loadedReleased");
    monitor.hold(contOrdered);
    await steps.abandon(30_000);
    await ask(leaving, "resuming");
    monitor.release();
    await isHome(leaving);
  });

  test("bereft", async () => {
    const leaving = await leave("bereft", { late: true });
    const { steps, guest, there } = leaving;
    await perform(leaving);
    await steps.departureIn("released");
    signal(guest.qemuPid, "SIGKILL");
    await ask(leaving, "bereft");
    there?.release(); // nobody ordered it, and it is the only good copy
    await isThere(leaving);
  });

  test("destroying, departed", async () => {
    const leaving = await leave("destroying");
    const { steps } = leaving;
    await perform(leaving);
    await steps.departureIn("released");
    const release = holdEnding(steps.from, "source", steps.migrationId);
    await steps.land();
    await ask(leaving, "destroying");
    release();
    await ask(leaving, "departed");
    await isThere(leaving);
  });

  test("lost, gone", async () => {
    const leaving = await leave("lost");
    const { steps, guest } = leaving;
    await perform(leaving, { narrow: true });
    const release = holdEnding(steps.to, "destination", steps.migrationId);
    signal(guest.qemuPid, "SIGKILL");
    await ask(leaving, "lost");
    const refused = await refusal(steps.from.client.guests.start(stagedSpec("lost")));
    assert.equal(refused.reason, "GUEST_BUSY", "a copy may still be there");
    release();
    await ask(leaving, "gone");
    bench.slow.leave("lost");
    await steps.from.client.guests.start(stagedSpec("lost")); // now it may
  });

  test("lost while its QEMU is told to send, which is no refusal of a QEMU that lives", async () => {
    const leaving = await leave("told");
    const { steps, guest, monitor } = leaving;
    monitor.hold(migrateOrdered);
    await perform(leaving);
    await until("QEMU to be told", () => monitor.kept === 1);
    const keeper = parentOf(guest.qemuPid);
    signal(keeper, "SIGSTOP"); // so that the monitor's end is surely heard before its word
    signal(guest.qemuPid, "SIGKILL");
    try {
      const { reason } = await steps.departureIn("gone");
      assert.match(reason, /the guest's QEMU ended/);
    } finally {
      signal(keeper, "SIGCONT");
    }
  });
});
