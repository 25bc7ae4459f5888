/*
 * Runs one row of cuts.ts: guests in every phase at once on one destination, one blow, and for each of
 * them what came of it. The guests live on from row to row, so that the same guest is cut off again
 * and again, and must have missed no tick in the end.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fromWireCause } from "@ferry/client";
import { AbortOutcome, GuestState, Verdict } from "@ferry/contract";
import type { TestHost } from "../../harness/hosts.js";
import { signal } from "../../harness/processes.js";
import { until } from "../../harness/until.js";
import { type Bench, openBench } from "./bench-hosts.js";
import { type Cell, CUTS, type CutCause } from "./cuts.js";
import type { HeldTether } from "./held-tether.js";
import { Holder } from "./holder.js";
import type { SlowQemu } from "./slow-qemu.js";
import {
  afterPrepare,
  beforePrepare,
  duringPrepare,
  type Homebody,
  STAGED,
  Staged,
  type StagedPhase,
  startFor,
} from "./staging.js";
import { Steps } from "./steps.js";

const HEARTBEAT_MS = 250;
/** A deadline is this many times as long as the slowest staging so far took. */
const DEADLINE_FACTOR = 3;

/**
 * Phases that an agent does not wait in for ever, and the deadline that passes in them, in milliseconds.
 * They are staged last.
 */
const PASSING_MS: Partial<Record<StagedPhase, number>> = {
  preparing: 7_000,
  receivingReleased: 20_000,
  receivingDue: 20_000,
};

/** Everything one row needs: a host guests leave from, and one they come to. */
export class Cutting {
  readonly #guests = new Map<StagedPhase, Homebody>();
  #bench: Bench | undefined;
  #stagingMs = 2_000;

  async open(): Promise<void> {
    this.#bench = await openBench();
  }

  async close(): Promise<void> {
    for (const { monitor, guest } of this.#guests.values()) {
      monitor?.close();
      guest.consoles.close();
    }
    await this.#bench?.close();
  }

  get slow(): SlowQemu {
    return this.#opened.slow;
  }

  get #opened(): Bench {
    if (this.#bench === undefined) throw new Error("not open");
    return this.#bench;
  }

  /** Where guests live, and where they are to go. */
  get pair(): readonly [TestHost, TestHost] {
    return this.#opened.hosts.pair;
  }

  /** Defines the tests of one row. */
  row(cause: CutCause): void {
    describe(`a guest whose arrival meets ${cause}`, () => {
      let stage: Stage;
      before(async () => {
        stage = new Stage(this, cause);
        await stage.set();
        await stage.strike();
      });
      after(() => stage.clear());
      for (const phase of STAGED) {
        const cell = CUTS[cause][phase];
        test(`in ${phase}: ${words(cell)}`, () => stage.check(phase, cell));
      }
    });
  }

  /** The guest that is staged in that phase: the last row's, if it is still there. */
  async guest(phase: StagedPhase): Promise<Homebody> {
    const known = this.#guests.get(phase);
    if (known !== undefined) return known;
    const guestId = `${phase}-${this.#number++}`;
    const guest = await startFor(phase, guestId, this.pair[0], this.slow);
    this.#guests.set(phase, guest);
    return guest;
  }
  #number = 1;

  forget(phase: StagedPhase): void {
    this.#guests.delete(phase);
  }

  get deadlineMs(): number {
    return DEADLINE_FACTOR * this.#stagingMs;
  }

  stagingTook(milliseconds: number): void {
    this.#stagingMs = Math.max(this.#stagingMs, milliseconds);
  }
}

function words(cell: Cell): string {
  if (typeof cell !== "string") {
    if ("returnedBy" in cell) return `killed, returned (by ${cell.returnedBy.join(" or ")})`;
    return `not possible, since ${cell.impossible}`;
  }
  return { returned: "killed, returned", landed: "nothing", landedAndLost: "landed" }[cell];
}

/** One row's guests, each in its phase. */
class Stage {
  readonly #all = new Map<StagedPhase, Staged>();
  readonly #tethers = new Map<StagedPhase, HeldTether>();
  readonly #outcomes = new Map<StagedPhase, AbortOutcome>();
  readonly #holder: Holder | undefined;

  constructor(
    readonly cutting: Cutting,
    readonly cause: CutCause,
  ) {
    const process = cause === "connection_lost" || cause === "keepalive";
    this.#holder = process ? new Holder() : undefined;
  }

  async set(): Promise<void> {
    const { cutting } = this;
    const [from, to] = cutting.pair;
    await Promise.all(
      STAGED.map(async (phase) => {
        const home = await cutting.guest(phase);
        const steps = new Steps({ guestId: home.guest.guestId, from, to });
        this.#all.set(phase, new Staged(phase, home, steps));
      }),
    );
    const startedAt = Date.now();
    const bring = (all: Staged[]) => Promise.all(all.map((each) => this.#bring(each)));
    await bring([...this.#all.values()].filter(({ phase }) => !(phase in PASSING_MS)));
    await bring([...this.#all.values()].filter(({ phase }) => phase in PASSING_MS));
    await this.#of("landed").guest.livesAt(to);
    await this.#tethers.get("landed")?.ended; // a moment later than the verdict
    cutting.stagingTook(Date.now() - startedAt);
  }

  async #bring(staged: Staged): Promise<void> {
    const { steps, phase } = staged;
    beforePrepare(staged, this.cutting.slow);
    await steps.begin();
    if (this.#holder !== undefined) {
      const holder = this.#holder;
      holder.prepare(steps);
      await duringPrepare(staged, () => holder.ready(steps));
    } else {
      const heartbeatIntervalMs = this.cause === "heartbeat" ? HEARTBEAT_MS : 0;
      const deadlineMs = PASSING_MS[phase] ?? this.cutting.deadlineMs;
      const tether = steps.prepare(
        { heartbeatIntervalMs },
        this.cause === "deadline" ? { deadlineMs } : {},
      );
      this.#tethers.set(phase, tether);
      await duringPrepare(staged, () => tether.ready());
    }
    await afterPrepare(staged);
  }

  #of(phase: StagedPhase): Staged {
    const staged = this.#all.get(phase);
    if (staged === undefined) throw new Error(`${phase} was not staged`);
    return staged;
  }

  /** The one blow. */
  async strike(): Promise<void> {
    const [, destination] = this.cutting.pair;
    const all = [...this.#all.values()];
    switch (this.cause) {
      case "cancelled":
        for (const tether of this.#tethers.values()) tether.cancel();
        return;
      case "connection_lost":
        return this.#holder?.kill9();
      case "keepalive":
        return this.#holder?.freeze();
      case "heartbeat":
        for (const tether of this.#tethers.values()) tether.stopBeating();
        return;
      case "deadline":
        return; // it passes by itself
      case "agent_died":
        await destination.destination.kill9();
        return this.#restart(destination);
      case "shutdown":
        assert.equal(await destination.destination.stop(), 0);
        return this.#restart(destination);
      case "abandoned":
        await Promise.all(all.map(({ steps }) => steps.abandon()));
        return;
      case "recalled":
        return this.#recall(all);
      case "qemu_died":
        for (const staged of all) signal(staged.qemuPid, "SIGKILL");
        return;
      case "keeper_died":
        for (const staged of all) signal(staged.keeperPid, "SIGKILL");
        return;
    }
  }

  async #restart(host: TestHost): Promise<void> {
    // Nobody is there: whatever was to die has died by the keepers' hands alone.
    await until("every QEMU that had not landed to be gone", () =>
      [...this.#all.values()].every(
        ({ phase, running }) => phase === "landed" || running.length === 0,
      ),
    );
    host.destination.start();
    await host.destination.ready();
  }

  /** A source takes a guest back when it is told to, and hears only then that its QEMU was done. */
  async #recall(all: readonly Staged[]): Promise<void> {
    await Promise.all(
      all.map(async ({ phase, steps, home }) => {
        this.#outcomes.set(phase, (await steps.abort()).outcome);
        home.monitor?.release();
      }),
    );
  }

  async check(phase: StagedPhase, cell: Cell): Promise<void> {
    const staged = this.#of(phase);
    if (cell === "returned") return this.#returned(staged);
    if (typeof cell === "string") return this.#landed(staged, cell === "landed");
    if ("returnedBy" in cell) return this.#returned(staged, cell.returnedBy);
    // The cause cannot happen: the arrival is as it was, until its caller abandons it.
    const { steps } = staged;
    const given = phase !== "preparing" && phase !== "prepared";
    const outcome = given ? AbortOutcome.TOO_LATE : AbortOutcome.ABORTED;
    assert.equal(this.#outcomes.get(phase), outcome);
    assert.equal((await steps.arrivalIn(phase)).verdict, Verdict.PENDING);
    assert.equal(staged.running.length, 2, "keeper and QEMU run on");
    await steps.abandon();
    return this.#returned(staged, ["abandoned"]);
  }

  async #returned(staged: Staged, causes: readonly CutCause[] = [this.cause]): Promise<void> {
    const { steps, phase, guest } = staged;
    const { to, migrationId } = steps;
    const withinMs = this.cutting.deadlineMs + 60_000; // it need not have passed yet
    const arrival = await steps.arrival("its verdict", ({ settled }) => settled, withinMs);
    assert.equal(arrival.verdict, Verdict.RETURNED);
    const cause = fromWireCause(arrival.cause);
    assert.ok(
      causes.some((each) => each === cause),
      `the cause is ${cause}, not ${causes}: ${arrival.reason}`,
    );
    await until("keeper and QEMU to be gone", () => staged.running.length === 0);
    await until("its run directory to go", () => !existsSync(staged.runDir));
    const arrivals = readdirSync(join(to.stateDir, "arrivals"));
    assert.ok(!arrivals.includes(migrationId), "its record is left");

    const tether = this.#tethers.get(phase);
    const told = TELLS.has(this.cause) ? await tether?.fault() : undefined;
    if (told !== undefined) assert.deepEqual([told.verdict, told.cause], ["returned", cause]);

    staged.release(this.cutting.slow);
    if (!MET.has(phase)) await steps.abort(); // gives the lease back
    const confirmed = await steps.confirm(30_000);
    assert.deepEqual([confirmed.verdict, confirmed.settled], [Verdict.RETURNED, true]);
    const pid = guest.qemuPid;
    const home = await guest.livesAt(steps.from);
    assert.equal(home.qemuPid, pid, "it is the same QEMU");
    assert.equal(GuestState[home.state], "RUNNING");
    await guest.ticksOn(3);
  }

  async #landed(staged: Staged, lives: boolean): Promise<void> {
    const { steps, guest, phase } = staged;
    const { to, from } = steps;
    const verdict = (await steps.land(30_000)).verdict;
    assert.equal(verdict, Verdict.LANDED);
    const confirmed = await steps.confirm(30_000);
    assert.deepEqual([confirmed.verdict, confirmed.settled], [Verdict.LANDED, true]);
    const there = await from.client.guests.list();
    assert.ok(!there.some(({ guestId }) => guestId === guest.guestId), "the old copy is listed");
    const tether = this.#tethers.get(phase);
    if (tether !== undefined) assert.equal(await tether.ended, undefined);
    if (lives) {
      const { qemuPid, state } = await to.client.guests.get(guest.guestId);
      assert.equal(qemuPid, staged.qemuPid, "it is the same QEMU");
      assert.equal(GuestState[state], "RUNNING");
      await guest.ticksOn(3);
      await guest.memoryIsWhole();
    }
    await to.client.guests.stop(guest.guestId, { graceMs: 0 });
  }

  /** Whatever happened, the next row finds hosts that answer. */
  async clear(): Promise<void> {
    await this.#holder?.end();
    for (const staged of this.#all.values()) {
      staged.release(this.cutting.slow);
      staged.close();
    }
    for (const tether of this.#tethers.values()) tether.cancel();
    this.cutting.forget("landed");
    await Promise.all(
      [...this.#all.values()].map(async ({ steps }) => {
        await steps.abort().catch(() => {}); // over already, or never begun
        await steps.arrival("its end", ({ settled }) => settled, 10_000).catch(() => {});
      }),
    );
  }
}

/** The caller is there to be told, and its own agent is alive to tell it. */
const TELLS: ReadonlySet<CutCause> = new Set([
  "heartbeat",
  "abandoned",
  "recalled",
  "qemu_died",
  "keeper_died",
  "shutdown",
]);

/** Perform was called. */
const MET: ReadonlySet<StagedPhase> = new Set(
  STAGED.filter((phase) => phase !== "preparing" && phase !== "prepared"),
);
