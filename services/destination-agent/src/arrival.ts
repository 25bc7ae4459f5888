/*
 * One arriving guest: the destination's table, run in the world. This file knows what is written when; what
 * touches QEMU is in effects.ts, and what people are told in story.ts. A guest that arrives here dies unless
 * three things were heard: its caller's order, the source's release, and its own QEMU's "loaded".
 */
import {
  type Answer,
  type ArrivalRecord,
  Changes,
  Driver,
  type EndingRecord,
  hostInTrace,
  MigrationTrace,
  Vigil,
} from "@ferry/agent-kit";
import type { BlockerReason } from "@ferry/contract";
import {
  type DestinationEffect,
  type DestinationHeard,
  type DestinationPhase,
  destination,
  destinationDurability,
  destinationSettled,
  type Verdict,
  verdictOf,
} from "@ferry/protocol";
import type { Keeper, RunState } from "@ferry/qemu";
import type { Qmp } from "@ferry/qmp";
import type { Tie } from "@ferry/tether";
import type { Tunnel } from "@ferry/tunnel";
import type { Cause } from "./cause.js";
import { act, expectLoaded } from "./effects.js";
import type { Host } from "./host.js";
import { type Step, Story } from "./story.js";

/** The disk refused a step that cannot be taken back: it is tried again after this time. */
const REWRITE_AFTER_MS = 500;

/** Why a guest is discarded. */
interface Why {
  readonly cause: Cause;
  readonly reason: string;
}

/** What each thing heard is blamed for, when nobody knows better. */
const BLAME: Partial<Record<DestinationHeard, Cause>> = {
  abandon: "abandoned",
  recalled: "recalled",
  restarted: "agent_died",
  qemuGone: "qemu_died",
  keeperGone: "keeper_died",
};

/** Phases in which the source is expected to speak at every beat. */
const MET: ReadonlySet<DestinationPhase> = new Set([
  "receiving",
  "receivingOrdered",
  "receivingReleased",
  "receivingDue",
  "loaded",
  "loadedOrdered",
]);

/**
 * Phases in which a guest stands still, or one of many is to be killed: what is to be done goes first, and
 * the next phase tells of this one, too. After so many milliseconds it is told anyway.
 */
const HURRIED: ReadonlyMap<DestinationPhase, number> = new Map([
  ["loadedOrdered", 20], // `released` is on its way
  ["untying", 20],
  ["landing", 20],
  ["landed", 5], // whoever waits for it hears of it at once
  ["discarding", 1],
]);
const DISCARDED: ReadonlySet<DestinationPhase> = new Set(["discarding", "returned", "perished"]);

/** Where and how the source sends. Holds the migration's key: never logged, never listed. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly key: string;
}

/** What is known of an ended arrival, alive or from disk. */
export interface ArrivalView {
  readonly migrationId: string;
  readonly guestId: string;
  readonly arrival: string;
  readonly phase: string;
  readonly verdict: Verdict;
  readonly cause: Cause | undefined;
  readonly reason: string;
  readonly peerAgentId: string;
  readonly transport: EndingRecord["transport"];
  readonly startedAt: Date;
  readonly endedAt: Date | undefined;
  readonly downtimeMs: number | undefined;
  readonly tethered: boolean;
}

/** One arriving guest, from Prepare to its verdict. */
export class Arrival {
  readonly changes = new Changes();
  readonly host: Host;
  readonly trace: MigrationTrace;
  readonly startedAt: Date;
  /** Things QEMU-ish, held by the effects. */
  keeper: Keeper | undefined;
  qmp: Qmp | undefined;
  tunnel: Tunnel | undefined;
  /** Ports this arrival holds, given back when its QEMU is reaped. */
  port: number | undefined;
  endpoint: Endpoint | undefined;
  /** A kill was ordered while QEMU was still being launched. */
  killWanted = false;
  /** QEMU is being launched. */
  launching = false;
  /** What its QEMU lacked on this host, where it could not be started. */
  lack: BlockerReason | undefined;
  /** How QEMU stood when the guest was loaded; undefined if it did not say. */
  looked: Promise<RunState | undefined> | undefined;
  /** Its monitor is being opened again. */
  reopening: Promise<Qmp> | undefined;
  /** How often QEMU was asked to wake the guest, or whether it runs: the last one asked decides. */
  asked = 0;
  tie: Tie | undefined;
  /** Source QEMU's STOP and our QEMU's RESUME, microseconds since 1970, for the blackout we report. */
  stoppedAtUs: number | undefined;
  resumedAtUs: number | undefined;
  endedAt: Date | undefined;
  /** The most the source's copy will use, in bytes per second; 0: no limit. */
  bandwidthWanted = 0;
  /** How fast the source's QEMU sends, as the source told last, in bytes per second. */
  bandwidthUsed = 0;
  /** Who prepared it, as its certificate says; empty after a restart. */
  caller = "";
  /** A person stood in for the source: who, and why. */
  overridden: string | undefined;
  #sourceHeardAt = Number.NEGATIVE_INFINITY;
  /** The first reason wins: what came later is a consequence. */
  #cause: Cause | undefined;
  #reason = "";
  /** What the thing that is being heard would be blamed for. */
  #why: Why | undefined;
  #cutAt: number | undefined;
  /** A step that the disk refused, and that is tried again: why. */
  #unwritten = "";
  readonly #vigil: Vigil;
  /** Who orders the override that is being heard. */
  #overriddenBy = "";
  readonly #story: Story;
  /** Resolves once the record is on disk; undefined: nobody has begun to write it. */
  #accepted: Promise<void> | undefined;
  readonly #driver: Driver<DestinationPhase, DestinationHeard, DestinationEffect>;

  constructor(
    host: Host,
    /** Phase and processes are brought up to date before each write. */
    public record: ArrivalRecord,
    phase: DestinationPhase = "empty",
  ) {
    const { migrationId, traceparent } = record.arrival;
    const { guestId } = record.guest.spec;
    const { log, traces } = host;
    const role = "destination";
    const trace = new MigrationTrace({ role, migrationId, guestId, traceparent, log, traces });
    this.trace = trace;
    this.host = hostInTrace(host, trace);
    this.startedAt = new Date(record.arrival.startedAt);
    if (phase !== "empty") this.#accepted = Promise.resolve();
    this.#story = new Story(this);
    this.#driver = new Driver(destination, phase, {
      write: async (next, heard) => {
        if (heard === "override") {
          const overridden = this.#overriddenBy;
          await host.store.arrivals.foretell(this.migrationId, ["landed"], { overridden });
          this.overridden = overridden;
        }
        await this.#write(next);
      },
      act: (effect) => act(this, effect),
      moved: (step) => this.#moved(step),
      refused: (at) =>
        host.metrics.refused.inc({ role: "destination", phase: at.phase, heard: at.heard }),
      unwritable: (next, heard, error) => this.#unwritable(next, heard, error),
      ends: destinationSettled,
    });
    const { beatMs, meetStaleMs } = host.config.timeouts;
    this.#vigil = new Vigil({
      everyMs: beatMs,
      silent: () => MET.has(this.phase) && !this.heardSourceWithin(meetStaleMs - beatMs),
      tell: (silent) => {
        this.#story.silence(silent);
        this.changes.bump();
      },
    });
  }

  get migrationId(): string {
    return this.record.arrival.migrationId;
  }

  get guestId(): string {
    return this.record.guest.spec.guestId;
  }

  get phase(): DestinationPhase {
    return this.#driver.phase;
  }

  get verdict(): Verdict {
    return verdictOf(this.phase);
  }

  get settled(): boolean {
    return destinationSettled(this.phase);
  }

  get cause(): Cause | undefined {
    return this.#cause;
  }

  get reason(): string {
    return this.#reason;
  }

  /** When the tether was cut, by performance.now(). */
  get cutAt(): number | undefined {
    return this.#cutAt;
  }

  /** The source is expected to speak, and does not. */
  get sourceSilent(): boolean {
    return this.#vigil.since !== undefined;
  }

  /** Its port is somebody else's from now on. */
  giveBackPort(): void {
    if (this.port !== undefined) this.host.ports.giveBack(this.port);
    this.port = undefined;
  }

  /** This agent ends: nothing is looked for any more. */
  close(): void {
    this.#vigil.end();
  }

  /** What it waits for that may never come; empty while all is well. */
  get trouble(): string {
    if (this.#unwritten !== "") return this.#unwritten;
    const { since } = this.#vigil;
    if (since === undefined) return "";
    return `the source agent ${this.record.arrival.sourceAgentId} says nothing since ${since.toISOString()}`;
  }

  view(): ArrivalView {
    const { arrival } = this.record;
    return {
      migrationId: this.migrationId,
      guestId: this.guestId,
      arrival: arrival.arrival,
      phase: this.phase,
      verdict: this.verdict,
      cause: this.#cause,
      reason: this.#reason || this.trouble,
      peerAgentId: arrival.sourceAgentId,
      transport: arrival.transport,
      startedAt: this.startedAt,
      endedAt: this.endedAt,
      downtimeMs: this.downtimeMs,
      tethered: this.tie !== undefined && !this.settled,
    };
  }

  /** The guest's blackout in milliseconds, by two hosts' clocks; unknown until both ends told. */
  get downtimeMs(): number | undefined {
    if (this.stoppedAtUs === undefined || this.resumedAtUs === undefined) return undefined;
    return Math.max(0, (this.resumedAtUs - this.stoppedAtUs) / 1000);
  }

  /**
   * Hears one thing, in its turn. `why` explains a discard it may lead to; `still` drops news that
   * is not true any more when its turn comes.
   */
  hear(
    heard: DestinationHeard,
    why: Why = { cause: BLAME[heard] ?? "host_fault", reason: "" },
    still: () => boolean = () => true,
  ): Promise<Answer<DestinationPhase>> {
    return this.#driver.hear(heard, () => {
      if (!still()) return false;
      this.#why = why;
      return true;
    });
  }

  /** Its caller's stream is open. */
  get tethered(): boolean {
    return this.tie !== undefined && this.#cutAt === undefined;
  }

  /** Hears a person's word. It is in the ending that it leads to before anything is done. */
  hearOverride(who: string): Promise<Answer<DestinationPhase>> {
    return this.#driver.hear("override", () => {
      this.#overriddenBy = who;
      return true;
    });
  }

  /** The source's agent names the trace it is in; the record keeps it from its next write on. */
  tracedBySource(traceparent: string | undefined): void {
    this.trace.meet(traceparent);
    const kept = this.trace.traceparent;
    if (kept === undefined || kept === this.record.arrival.traceparent) return;
    const { record } = this;
    this.record = { ...record, arrival: { ...record.arrival, traceparent: kept } };
  }

  /** The source's agent said something. */
  heardSource(): void {
    this.#sourceHeardAt = performance.now();
  }

  heardSourceWithin(milliseconds: number): boolean {
    return performance.now() - this.#sourceHeardAt <= milliseconds;
  }

  /** Something here broke: discards the guest, unless its fate is decided already. */
  async fail(cause: Cause, reason: string): Promise<void> {
    await this.hear("abandon", { cause, reason });
  }

  /** Ties the caller's stream to this guest: from here on its end is heard. */
  tether(tie: Tie): void {
    this.tie = tie;
    this.host.metrics.tethersOpen.inc();
    void tie.cut.then(({ cause }) => {
      this.#cutAt = performance.now();
      const why = { cause, reason: `the caller's tether was cut: ${cause.replaceAll("_", " ")}` };
      // A cut names the tie it belongs to; one that was untied meanwhile says nothing.
      return this.hear("cut", why, () => this.tie === tie);
    });
  }

  /** Writes the arrival down, with all of its endings: from now on an ending is one rename. */
  accept(): Promise<void> {
    this.#accepted ??= this.#create();
    return this.#accepted;
  }

  /**
   * It says `prepared` before its QEMU listens: by then nobody was told so, and a successor discards it
   * all the same.
   */
  async #create(): Promise<void> {
    const record = inPhase(this.record, "prepared");
    await this.host.store.arrivals.create(this.migrationId, record, (phase) => ({
      migrationId: this.migrationId,
      guestId: this.guestId,
      phase,
      peerAgentId: this.record.arrival.sourceAgentId,
      arrival: this.record.arrival.arrival,
      transport: this.record.arrival.transport,
      startedAt: this.record.arrival.startedAt,
    }));
  }

  async #write(next: DestinationPhase): Promise<void> {
    const { store } = this.host;
    if (next === "landed") {
      await store.arrivals.land(this.migrationId, this.guestId);
      return;
    }
    if (next === "returned" || next === "perished") {
      // A record that is still being written would be left behind by an end that does not wait for it.
      const accepted = await this.#accepted?.then(
        () => true,
        () => false,
      );
      if (!accepted) return; // never written, never told: there is nothing to end
      await store.arrivals.end(this.migrationId, next);
      return;
    }
    if (destinationDurability[next] === "none") return;
    if (next === "prepared") {
      await this.accept();
      return;
    }
    await store.arrivals.update(
      this.migrationId,
      inPhase(this.record, next),
      destinationDurability[next],
    );
    this.record = inPhase(this.record, next); // it may have been added to meanwhile
  }

  /** Somebody will wait for this phase to be written: what can be done before is done now. */
  #foresee(phase: DestinationPhase): void {
    const record = inPhase(this.record, phase);
    // Not written, it is written when its time has come.
    void this.host.store.arrivals.foresee(this.migrationId, record).catch(() => {});
  }

  #unwritable(
    next: DestinationPhase,
    heard: DestinationHeard,
    error: unknown,
  ): DestinationHeard | undefined {
    this.host.log.error(
      { migration_id: this.migrationId, err: error, phase: this.phase, next },
      "the state directory cannot be written",
    );
    if (next === "prepared" || next === "landing") {
      this.#why = {
        cause: "host_fault",
        reason: "the destination's state directory cannot be written",
      };
      // `landing` is decided with the keeper freed: nobody guards this QEMU but us.
      return next === "prepared" ? "abandon" : "keeperGone";
    }
    if (heard === "override") return undefined; // the person is told, and may say it again
    this.#unwritten = error instanceof Error ? error.message : String(error);
    this.changes.bump();
    // The world has moved already: all that is missing is the writing.
    setTimeout(() => void this.hear(heard), REWRITE_AFTER_MS).unref();
    return undefined;
  }

  #moved(step: Step): void {
    this.#unwritten = "";
    if (DISCARDED.has(step.to) && this.#cause === undefined && this.#why !== undefined) {
      this.#cause = this.#why.cause;
      this.#reason = this.#why.reason;
    }
    this.#story.add(step);
    if (step.to === "landed") this.changes.bump();
    const pauseMs = HURRIED.get(step.to);
    if (pauseMs === undefined) this.#tell();
    else setTimeout(() => this.#tell(), pauseMs);
    if (step.to === "perished") this.#story.perished();
    if (step.to === "receiving") this.#foresee("landing");
    if (step.heard === "released" || step.heard === "bereft") void expectLoaded(this);
    if (destinationSettled(step.to)) this.#settle(step.to);
  }

  /** Whoever waits for what is told looks after this turn. */
  #tell(): void {
    this.#story.tell();
    this.changes.bump();
  }

  #settle(phase: DestinationPhase): void {
    this.endedAt = new Date();
    this.#vigil.end();
    if (this.tie !== undefined) {
      this.tie.untie();
      this.tie = undefined;
      this.host.metrics.tethersOpen.dec();
    }
    this.#story.over(phase, this.endedAt);
    this.host.settled(this);
  }
}

function inPhase(record: ArrivalRecord, phase: DestinationPhase): ArrivalRecord {
  return { ...record, arrival: { ...record.arrival, phase } };
}
