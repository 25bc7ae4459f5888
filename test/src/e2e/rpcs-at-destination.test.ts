/*
 * Goal: in every phase of an arrival, every call a controller can make there gets the answer that the
 * contract promises, and harms nothing. Method: a guest is held in each phase, and the calls are made
 * one after the other; the arrival must then be where the table says, with its first tether tied. What
 * Finish(abandon) does to a guest nobody ordered to land is in cuts-by-hosts.test.ts.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { FinishOrder, type FinishResponse, Verdict } from "@ferry/contract";
import type { DestinationPhase } from "@ferry/protocol";
import { signal } from "../harness/processes.js";
import { type Bench, openBench } from "./support/bench-hosts.js";
import { holdEnding } from "./support/held-ending.js";
import type { HeldTether } from "./support/held-tether.js";
import { contOrdered, LateMonitor } from "./support/late-monitor.js";
import {
  afterPrepare,
  beforePrepare,
  duringPrepare,
  Staged,
  type StagedPhase,
  startFor,
} from "./support/staging.js";
import { refusal, Steps, told } from "./support/steps.js";

/** A fault's reason, or the verdict: what the caller hears. */
interface Answers {
  /** A second Prepare under the id. */
  readonly prepare: string;
  /** Finish(land), answered at once. */
  readonly land: string;
  /** Finish(abandon) after it, answered when it is settled, or at once where it cannot be. */
  readonly abandon: string;
}

const WAITING: Answers = { prepare: "TETHER_HELD", land: "pending", abandon: "returned" };
const DECIDED: Answers = { prepare: "TETHER_HELD", land: "pending", abandon: "pending" };
const over = (verdict: string): Answers => ({
  prepare: `MIGRATION_OVER ${verdict}`,
  land: verdict,
  abandon: verdict,
});

const ANSWERS: { readonly [P in DestinationPhase]: Answers } = {
  empty: { prepare: "prepared", land: "MIGRATION_UNKNOWN", abandon: "MIGRATION_UNKNOWN" },
  preparing: { ...WAITING, land: "NOT_YET" },
  prepared: { ...WAITING, land: "NOT_YET" },
  receiving: WAITING,
  receivingOrdered: WAITING,
  receivingReleased: WAITING,
  receivingDue: WAITING,
  loaded: WAITING,
  loadedOrdered: WAITING,
  loadedReleased: { ...WAITING, land: "landed", abandon: "landed" }, // the order is what it waits for
  untying: DECIDED, // nobody can hold it up: it passes while `landing` is being written
  landing: DECIDED,
  relanding: DECIDED,
  landed: over("landed"),
  discarding: DECIDED,
  returned: over("returned"),
  perished: over("perished"),
};

let bench: Bench;
before(async () => {
  bench = await openBench();
});
after(() => bench?.close());

interface Held {
  readonly staged: Staged;
  readonly tether: HeldTether;
}

/** A guest of its own, on its way to that phase. */
async function hold(phase: StagedPhase, name: string): Promise<Held> {
  const { hosts, slow } = bench;
  const [from, to] = hosts.pair;
  const home = await startFor(phase, name, from, slow);
  if (home.monitor !== undefined) bench.keep(home.monitor);
  const staged = bench.keep(new Staged(phase, home, new Steps({ guestId: name, from, to })));
  beforePrepare(staged, slow);
  await staged.steps.begin();
  const tether = bench.keep(staged.steps.prepare());
  await duringPrepare(staged, () => tether.ready());
  await afterPrepare(staged);
  return { staged, tether };
}

/** The guest is about to land, and its QEMU is never told to run. */
async function holdLanding(name: string): Promise<Held & { monitor: LateMonitor }> {
  const { hosts, slow } = bench;
  const [from, to] = hosts.pair;
  const home = await startFor("landed", name, from, slow);
  slow.setAside(name, "destination.qmp");
  const staged = bench.keep(new Staged("landed", home, new Steps({ guestId: name, from, to })));
  await staged.steps.begin();
  const tether = bench.keep(staged.steps.prepare());
  const path = join(staged.runDir, "destination.qmp");
  const monitor = bench.keep(await LateMonitor.at(path, contOrdered));
  await duringPrepare(staged, () => tether.ready());
  staged.view = staged.steps.perform();
  await staged.view.bound();
  await staged.steps.land();
  await staged.steps.arrivalIn("landing");
  return { staged, tether, monitor };
}

/** Makes the calls, and compares. `settles` is how long abandon may wait. */
async function ask({ steps }: Staged, phase: DestinationPhase, waitMs: number): Promise<void> {
  const answers = ANSWERS[phase];
  const second = await steps.prepare().fault();
  const verdict = second?.verdict === undefined ? "" : ` ${second.verdict}`;
  assert.equal(`${second?.reason}${verdict}`, answers.prepare, "a second Prepare");
  assert.equal((await steps.arrivalIn(phase)).phase, phase, "a second Prepare moved it");
  assert.equal(
    await heard(steps.land(phase === "loadedReleased" ? 30_000 : 0)),
    answers.land,
    "Finish(land)",
  );
  assert.equal(await heard(steps.abandon(waitMs)), answers.abandon, "Finish(abandon)");
}

const heard = (call: Promise<FinishResponse>) =>
  told(call, ({ verdict }) => Verdict[verdict].toLowerCase());

const home = async ({ guest, steps }: Staged) => {
  const confirmed = await steps.confirm(30_000);
  assert.equal(confirmed.verdict, Verdict.RETURNED);
  await guest.ticksOn(2);
};

const away = async ({ guest, steps }: Staged) => {
  const confirmed = await steps.confirm(30_000);
  assert.equal(confirmed.verdict, Verdict.LANDED);
  await guest.livesAt(steps.to);
  await guest.ticksOn(2);
};

const ENDS_AT_HOME = [
  "preparing",
  "prepared",
  "receiving",
  "receivingOrdered",
  "receivingReleased",
  "receivingDue",
  "loaded",
  "loadedOrdered",
] as const;

describe("what a destination answers", { concurrency: 3 }, () => {
  test("empty", async () => {
    const [from, to] = bench.hosts.pair;
    const { guest } = await startFor("prepared", "empty", from, bench.slow);
    const steps = new Steps({ guestId: guest.guestId, from, to });
    await steps.begin();
    assert.equal(await heard(steps.land()), ANSWERS.empty.land);
    assert.equal(await heard(steps.abandon()), ANSWERS.empty.abandon);
    // An abandon of an id that was never heard of writes nothing: it may still be prepared.
    const tether = steps.prepare();
    await tether.ready();
    assert.equal(ANSWERS.empty.prepare, "prepared");
    tether.cancel();
    await steps.arrivalIn("returned");
    await steps.abort();
    await guest.ticksOn(2);
  });

  for (const phase of ENDS_AT_HOME) {
    test(phase, async () => {
      const { staged, tether } = await hold(phase, phase);
      await ask(staged, phase, 30_000);
      staged.release(bench.slow);
      assert.equal((await tether.fault())?.cause, "abandoned");
      if (staged.view === undefined) await staged.steps.abort();
      await home(staged);
    });
  }

  test("loadedReleased", async () => {
    const { staged, tether } = await hold("loadedReleased", "loadedReleased");
    await ask(staged, "loadedReleased", 30_000);
    assert.equal(await tether.ended, undefined);
    await away(staged);
  });

  test("landing, relanding", async () => {
    const { staged, tether, monitor } = await holdLanding("landing");
    await ask(staged, "landing", 0);
    await staged.steps.arrivalIn("relanding"); // `cont` was not answered: it looks again
    await ask(staged, "relanding", 0);
    monitor.release();
    assert.equal(await tether.ended, undefined);
    await away(staged);
  });

  test("landed", async () => {
    const { staged, tether } = await hold("landed", "landed");
    assert.equal(await tether.ended, undefined);
    await ask(staged, "landed", 0);
    await away(staged);
  });

  test("discarding, returned", async () => {
    const { staged, tether } = await hold("loadedReleased", "discarding");
    const { steps } = staged;
    const release = holdEnding(steps.to, "destination", steps.migrationId);
    tether.cancel();
    await steps.arrivalIn("discarding");
    await ask(staged, "discarding", 0);
    assert.equal(
      (await steps.confirm()).verdict,
      Verdict.PENDING,
      "nothing is told that is not written",
    );
    release();
    await steps.arrivalIn("returned");
    await ask(staged, "returned", 0);
    await home(staged);
  });

  test("perished", async () => {
    const { staged, tether } = await holdLanding("perished");
    const { steps, qemuPid } = staged;
    signal(qemuPid, "SIGKILL"); // nobody can say whether the guest ever ran
    await steps.arrivalIn("perished");
    await ask(staged, "perished", 0);
    assert.equal((await tether.fault())?.verdict, "perished");
    const confirmed = await steps.confirm(30_000);
    assert.equal(confirmed.verdict, Verdict.PERISHED);
    assert.equal(confirmed.phase, "released", "the source waits for a person");
    const refused = await refusal(steps.finish(FinishOrder.UNSPECIFIED));
    assert.equal(refused.reason, "INVALID_REQUEST");
  });
});
