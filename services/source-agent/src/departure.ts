/*
 * One leaving guest: the source's table, run in the world. This file knows what is written when,
 * what is said to the destination and what is heard from it; what touches QEMU is in effects.ts, and what
 * people are told in story.ts.
 * Custody is given away in one place: `released` is written, synced, and only then said.
 */
import {
  ANSWERS_WITHIN_MS,
  type Answer,
  Changes,
  type DepartureRecord,
  Driver,
  fromWireVerdict,
  hostInTrace,
  type MigrationFacts,
  MigrationTrace,
  residenceOf,
  Vigil,
} from "@ferry/agent-kit";
import {
  type FailureReason,
  type FaultRead,
  type MeetRequest,
  type MeetResponse,
  SourceWord,
} from "@ferry/contract";
import {
  type SourceEffect,
  type SourceHeard,
  type SourcePhase,
  source,
  sourceDurability,
  sourceSettled,
  sourceWord,
  type Verdict,
} from "@ferry/protocol";
import { look, type Progress } from "@ferry/qemu";
import type { Qmp } from "@ferry/qmp";
import type { Tunnel } from "@ferry/tunnel";
import { act, fingerprint, ready } from "./effects.js";
import type { Host } from "./host.js";
import type { MeetCall } from "./meet-call.js";
import { AWAITS, AWAY, CLOSED, FAILED, RELEASED } from "./phases.js";
import type { Resident } from "./resident.js";
import { type Step, Story } from "./story.js";

/** The disk refused a step that cannot be taken back: it is tried again after this time. */
const REWRITE_AFTER_MS = 500;
/** Logs and metrics of a release are written after this time, or with the next step. */
const TOLD_LATE_MS = 20;

/** Where the destination wants the guest sent. Holds the migration's key: never logged, never listed. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly key: string;
}

/** Why a migration failed: the contract's word for it, and a sentence. */
export interface Failure {
  readonly reason: FailureReason;
  readonly description: string;
}

/** What the source says of custody, on the wire. */
const WORDS: Record<ReturnType<typeof sourceWord>, SourceWord> = {
  none: SourceWord.UNSPECIFIED,
  released: SourceWord.RELEASED,
  bereft: SourceWord.BEREFT,
  recalled: SourceWord.RECALLED,
};

const isOverride = (heard: SourceHeard) => heard === "override" || heard === "giveUp";

/** Refusals of Meet that dialling again will not change. */
const FINAL: ReadonlySet<string> = new Set([
  "WRONG_PEER",
  "PEER_ONLY",
  "ID_CONFLICT",
  "INVALID_REQUEST",
]);

export class Departure {
  readonly changes = new Changes();
  readonly host: Host;
  readonly trace: MigrationTrace;
  readonly startedAt: Date;
  endedAt: Date | undefined;
  meet: MeetCall | undefined;
  endpoint: Endpoint | undefined;
  tunnel: Tunnel | undefined;
  /** QEMU is being told how to send. Undefined: it was told nothing by this agent. */
  preset: Promise<void> | undefined;
  /** QEMU is being told where to send as well. */
  readied: ReturnType<typeof ready> | undefined;
  /** QEMU is being told to send. Never rejects. */
  sending: Promise<void> | undefined;
  /** The monitor whose events are heard. */
  followed: Qmp | undefined;
  progress: Progress | undefined;
  /** The caller has ordered the guest to land: nobody waits for our word but the destination. */
  ordered = false;
  /** QEMU's own idea of the blackout, once it is known. */
  qemuDowntimeMs = 0;
  /** Resolves when that is known, or will never be. */
  measured: Promise<void> = Promise.resolve();
  /** When QEMU stopped the guest for the switchover, microseconds since 1970; 0 before. */
  stoppedAtUs = 0;
  /** `migrate-continue` was sent, or may have been before a restart. */
  wentOn: boolean;
  /** The destination said `perished`: remembered, alarmed, and a person's to decide. */
  perished = false;
  /** It was under way when this agent started, and what QEMU was told by then is not known. */
  readonly found: boolean;
  /** Its ending "departed", written beforehand, names its arrival. */
  foretold = false;
  /** It has ended, and its traces are gone: QEMU is as before, or its record and directory removed. */
  tidied = false;
  /** The downtime limit was raised to what was asked for. */
  converging = false;
  /** The most the destination lets this copy use, in bytes per second; 0: no limit. */
  destinationBandwidth = 0;
  /** What went wrong with Meet last, in words; empty if nothing did. */
  meetTrouble = "";
  /** What the destination said last was of no arrival of ours. */
  #disowned = false;
  /** Who began it, as its certificate says; empty if an older agent wrote it down. */
  get caller(): string {
    return this.record.caller ?? "";
  }

  /** Resolves when nothing more will happen at this end. */
  readonly over: Promise<void>;
  #end: () => void = () => {};
  /** The last verdict heard, for the acknowledgement. */
  verdictHeard: Verdict | undefined;
  /** The override that is being heard: who orders it, and what. */
  #overriding: Pick<DepartureRecord, "overridden" | "givenUp"> = {};
  #failure: Failure | undefined;
  #accepted: Promise<void> | undefined;
  readonly #story: Story;
  /** A step that the disk refused, and that is tried again: why. */
  #unwritten = "";
  readonly #vigil: Vigil;
  /** Resolves once the record of the meeting is being written before its time. */
  #meetingForeseen: Promise<void> | undefined;
  readonly #driver: Driver<SourcePhase, SourceHeard, SourceEffect>;

  constructor(
    host: Host,
    readonly resident: Resident,
    /** Brought up to date before each write. */
    public record: DepartureRecord,
    phase: SourcePhase = "idle",
  ) {
    const { migrationId, guestId, traceparent } = record;
    const { log, traces } = host;
    const role = "source";
    const trace = new MigrationTrace({ role, migrationId, guestId, traceparent, log, traces });
    this.trace = trace;
    this.host = hostInTrace(host, trace);
    this.startedAt = new Date(record.startedAt);
    this.over = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.found = phase !== "idle";
    this.wentOn = this.found;
    if (this.found) this.#accepted = Promise.resolve();
    this.#story = new Story(this);
    this.#driver = new Driver(source, phase, {
      write: async (next, heard) => {
        if (isOverride(heard)) await this.#foretellOverride();
        await this.#write(next);
      },
      act: (effect) => act(this, effect),
      moved: (step) => this.#moved(step),
      refused: (at) => this.#story.refused(at),
      unwritable: (next, heard, error) => this.#unwritable(next, heard, error),
      ends: sourceSettled,
    });
    const { beatMs, meetStaleMs } = host.config.timeouts;
    this.#vigil = new Vigil({
      everyMs: beatMs,
      silent: () =>
        AWAITS.has(this.phase) &&
        (this.#disowned || this.meet?.silent(meetStaleMs - beatMs) !== false),
      tell: (silent) => {
        this.#story.silence(silent);
        this.changes.bump();
      },
    });
    void resident.keeper?.reaped.then((death) => {
      if (this.settled) return undefined; // an ending that is written never changes
      if (this.phase !== "destroying") {
        this.fail("QEMU_DIED", `the guest's QEMU ended: ${death.summary}`);
      }
      return this.hear("qemuGone");
    });
  }

  get migrationId(): string {
    return this.record.migrationId;
  }

  get guestId(): string {
    return this.record.guestId;
  }

  get phase(): SourcePhase {
    return this.#driver.phase;
  }

  get settled(): boolean {
    return sourceSettled(this.phase);
  }

  /** Over for whoever watches Perform: the guest is here, or on its way back, or lost. */
  get failed(): boolean {
    return FAILED.has(this.phase);
  }

  /** Custody was given away; Finish, or the destination's cut, decides. */
  get released(): boolean {
    return RELEASED.has(this.phase);
  }

  get failure(): Failure | undefined {
    return this.#failure;
  }

  /** The destination's word is awaited, and it says nothing. */
  get destinationSilent(): boolean {
    return this.#vigil.since !== undefined;
  }

  /** This agent ends: nobody is told anything more. */
  close(): void {
    this.#vigil.end();
    this.meet?.close();
  }

  /** What it waits for that may never come; empty while all is well. */
  get trouble(): string {
    if (this.undecided) {
      return "it perished at the destination: a person decides";
    }
    if (this.#unwritten !== "") return this.#unwritten;
    const { since } = this.#vigil;
    if (since === undefined) return "";
    if (this.isForgotten) {
      return `the destination agent ${this.record.destinationAgentId} answers, and has lost what it knew of this migration: a person decides`;
    }
    return `the destination agent ${this.record.destinationAgentId} says nothing since ${since.toISOString()}, and only it can say where the guest is`;
  }

  /** What is decided, as far as this end knows. */
  get verdict(): Verdict {
    if (this.phase === "departed") return "landed";
    if (this.phase === "kept" || this.phase === "gone") return "returned";
    return this.undecided ? "perished" : "pending";
  }

  /** What a person who watches this migration asks; see docs/metrics.md. */
  facts(): MigrationFacts {
    const { progress, record, meet } = this;
    const done = { ratio: 1, remainingBytes: 0 };
    const copy = progress !== undefined && this.released ? { ...progress, ...done } : progress;
    return {
      copy,
      ...(record.destinationAgentId === "" ? {} : { downtimeLimitMs: record.downtimeLimitMs }),
      ...(meet === undefined ? {} : { meetConnected: this.meetConnected }),
    };
  }

  /** The destination's agent spoke a moment ago. */
  get meetConnected(): boolean {
    const { meetStaleMs } = this.host.config.timeouts;
    return this.meet !== undefined && !this.meet.silent(meetStaleMs);
  }

  /** This host may run the guest: it never said `released`, or was given the guest back. */
  get holdsCustody(): boolean {
    return !AWAY.has(this.phase);
  }

  /** The destination's agent answers, and knows nothing of our arrival: it will never say what became of it. */
  get isForgotten(): boolean {
    return this.#disowned && this.meet?.silent(ANSWERS_WITHIN_MS) === false;
  }

  /** A person stood in for the destination: who, and why. */
  get overridden(): string | undefined {
    return this.record.overridden;
  }

  /** A person gave the guest up. */
  get givenUp(): boolean {
    return this.record.givenUp === true;
  }

  /** It has ended, and the guest is nothing that this host keeps. */
  get leavesNothing(): boolean {
    return this.phase === "departed" || (this.settled && this.givenUp);
  }

  /** It perished at the destination, and no person has decided. */
  get undecided(): boolean {
    return this.perished && this.overridden === undefined;
  }

  /**
   * Hears a person's word: take the guest back, or give it up. It is written down, whatever comes of it,
   * before anything is done.
   */
  async hearOverride(overridden: string, givenUp = false): Promise<Answer<SourcePhase>> {
    return this.#driver.hear(givenUp ? "giveUp" : "override", () => {
      this.#overriding = { overridden, givenUp };
      return true;
    });
  }

  /**
   * Asks QEMU before anything is given up: an agent that has just started may not know that its predecessor
   * had taken the guest back. Nothing but `cont` wakes it, so what stands still now goes on standing still.
   */
  async standsStill(): Promise<boolean> {
    const { dead, qmp } = this.resident;
    if (dead) return true;
    const seen = await (qmp && look(qmp).catch(() => undefined)); // one that does not answer may run it
    return seen?.running === false;
  }

  hear(heard: SourceHeard, still?: () => boolean): Promise<Answer<SourcePhase>> {
    return this.#driver.hear(heard, still);
  }

  /** Remembers why it failed: the first reason wins, the others are its consequences. */
  fail(reason: FailureReason, description: string): void {
    if (this.#failure !== undefined || this.settled) return;
    this.#failure = { reason, description };
  }

  /** Creates the record with all its endings, so that from here on ending is one rename. */
  accept(): Promise<void> {
    this.#accepted ??= this.#create();
    return this.#accepted;
  }

  async #create(): Promise<void> {
    // What QEMU says of an earlier migration must never be taken for this one's end. It is written with
    // `performing`: before that nothing was sent.
    const looking = fingerprint(this).then((before) => {
      this.record = { ...this.record, before }; // only now: the destination may have been met meanwhile
    });
    const residence = residenceOf(this.resident.record);
    const creating = this.host.store.departures.create(this.migrationId, this.record, (phase) => ({
      migrationId: this.migrationId,
      guestId: this.guestId,
      phase,
      peerAgentId: this.record.destinationAgentId,
      arrival: this.record.arrival,
      transport: this.record.transport,
      startedAt: this.record.startedAt,
      ...(residence === undefined ? {} : { residence }),
      destinationAddress: this.record.destinationAddress,
    }));
    const [looked, created] = await Promise.allSettled([looking, creating]);
    if (created.status === "rejected") throw created.reason;
    if (looked.status === "fulfilled") return;
    this.fail("QEMU_FAILED", `QEMU does not say what it did before: ${String(looked.reason)}`);
    void this.hear("abort"); // the agents may have met meanwhile
  }

  /** A caller named the migration's trace. */
  traced(traceparent: string | undefined): void {
    this.trace.offer(traceparent);
    const kept = this.trace.traceparent;
    if (kept !== undefined) this.record = { ...this.record, traceparent: kept };
  }

  /** What is said over Meet now. No word is said before the phase that says it is written. */
  say(): MeetRequest {
    return {
      migrationId: this.migrationId,
      guestId: this.guestId,
      sourceAgentId: this.host.agentId,
      arrival: BigInt(this.record.arrival),
      word: WORDS[sourceWord(this.phase)],
      acknowledged: this.host.acknowledgement(this),
      stoppedAtUs: BigInt(Math.round(this.stoppedAtUs)),
      bandwidthBytesPerSecond: BigInt(this.record.bandwidthBytesPerSecond),
      transferBytesPerSecond: BigInt(Math.round(this.progress?.transferBytesPerSecond ?? 0)),
    };
  }

  /** Hears the destination. A word about another arrival is not heard. */
  heardFromDestination(response: MeetResponse): void {
    const arrival = response.arrival.toString();
    if (this.record.arrival === "0") {
      this.#bind(response, arrival);
      return;
    }
    this.#disowned = arrival !== this.record.arrival;
    if (this.#disowned) return;
    this.ordered = response.ordered;
    this.#hearBandwidth(response);
    const verdict = fromWireVerdict(response.verdict);
    if (verdict === undefined || verdict === "pending") return;
    if (this.verdictHeard !== verdict) {
      this.verdictHeard = verdict;
      this.changes.bump(); // who ended before it waits for it, and the table has nothing to say
    }
    if (verdict === "perished" && !this.perished) {
      this.perished = true;
      this.#story.perished();
      this.changes.bump();
    }
    if (verdict !== "landed" && !this.settled) {
      this.fail("DESTINATION_DISCARDED", response.reason || `the destination says ${verdict}`);
    }
    void this.hear(verdict);
  }

  /** Meet broke, and is dialled again. Before the first meeting, a refusal is an answer. */
  meetBroke(fault: FaultRead | undefined, error: Error): void {
    this.meetTrouble = `: ${fault?.message ?? error.message}`;
    this.host.log.warn(
      {
        migration_id: this.migrationId,
        phase: this.phase,
        reason: fault?.reason,
        err: error.message,
      },
      "Meet broke; dialling again",
    );
    if (this.phase === "meeting" && fault !== undefined && FINAL.has(fault.reason)) {
      this.fail("DESTINATION_REFUSED", fault.message);
      void this.hear("abort");
    }
  }

  /** Progress changed: wakes those who watch. */
  tick(): void {
    this.changes.bump();
  }

  #hearBandwidth({ bandwidthBytesPerSecond }: MeetResponse): void {
    const heard = Number(bandwidthBytesPerSecond);
    if (heard === this.destinationBandwidth) return;
    this.destinationBandwidth = heard;
    this.changes.bump();
  }

  /** The first meeting: binds this departure to one arrival, for ever. */
  #bind(response: MeetResponse, arrival: string): void {
    if (this.phase !== "meeting") return;
    if (arrival === "0") {
      this.fail(
        "DESTINATION_UNPREPARED",
        "the destination knows no such migration: call Prepare there first",
      );
      void this.hear("abort");
      return;
    }
    const verdict = fromWireVerdict(response.verdict);
    if (verdict !== "pending") {
      this.fail("DESTINATION_DISCARDED", response.reason || `the destination says ${verdict}`);
      void this.hear("abort");
      return;
    }
    const { endpoint } = response;
    if (endpoint === undefined) {
      this.#foreseeMeeting(arrival);
      return; // its QEMU is still being started
    }
    this.record = { ...this.record, arrival, transport: this.host.transportOf(endpoint.transport) };
    this.endpoint = {
      host: endpoint.host || this.host.hostOf(this.record.destinationAddress),
      port: endpoint.port,
      key: endpoint.key,
    };
    this.#hearBandwidth(response);
    this.readied = ready(this);
    this.readied.catch(() => {}); // told by `send`, or of no interest
    void this.hear("met");
  }

  /**
   * From here on the person's word outlives this agent: a successor does what was ordered, and the
   * destination is told of it, whichever way this ends.
   */
  async #foretellOverride(): Promise<void> {
    const { departures } = this.host.store;
    const overriding = this.#overriding;
    // The ending was written before the two met: whoever is told later must be told of this arrival.
    const { arrival } = this.record;
    await departures.foretell(this.migrationId, ["kept", "gone"], { arrival, ...overriding });
    const record = { ...this.record, ...overriding };
    await departures.update(this.migrationId, record, "fsync");
    this.record = { ...this.record, ...overriding };
    this.fail("OVERRIDDEN", `a person stood in for the destination: ${overriding.overridden}`);
  }

  async #write(next: SourcePhase): Promise<void> {
    const { store } = this.host;
    if (CLOSED.has(next)) {
      if (this.#accepted === undefined) return; // nothing moved and nothing was written
      const accepted = await this.#accepted.then(
        () => true,
        () => false,
      );
      if (accepted) await store.departures.end(this.migrationId, next);
      return;
    }
    // A write of `released` that failed may have left the record saying so: a successor would give
    // away a guest that runs here. So it is overwritten before the guest is woken.
    const overwrites = next === "retaking" && (await this.#readsReleased());
    const durability = overwrites ? "fsync" : sourceDurability[next];
    if (durability === "none" || next === this.phase) return;
    await this.#accepted;
    const record = this.#inPhase(next);
    await store.departures.update(this.migrationId, record, durability);
    this.record = { ...this.record, phase: record.phase, reason: record.reason }; // it may have been added to meanwhile
  }

  #inPhase(phase: SourcePhase): DepartureRecord {
    return { ...this.record, phase, reason: this.#failure?.description ?? "" };
  }

  /** Somebody will wait for this phase to be written: what can be done before is done now. */
  #foresee(phase: SourcePhase, more: Partial<DepartureRecord> = {}): void {
    const record = { ...this.#inPhase(phase), ...more };
    // Not written, it is written when its time has come.
    void this.host.store.departures.foresee(this.migrationId, record).catch(() => {});
  }

  /** Its arrival is known by now, and added to how this will most likely end while nobody waits. */
  #foretellArrival(): void {
    const { arrival } = this.record;
    this.host.store.departures.foretell(this.migrationId, ["departed"], { arrival }).then(
      () => {
        this.foretold = true;
      },
      () => {}, // it is added when it has ended
    );
  }

  /** It will be met as soon as its QEMU listens, and most likely on the usual transport. */
  #foreseeMeeting(arrival: string): void {
    this.#meetingForeseen ??= this.accept().then(() => {
      if (this.phase !== "meeting") return;
      this.#foresee("performing", { arrival, transport: "direct" });
    });
    this.#meetingForeseen.catch(() => {}); // it is `performing` that fails on a full disk
  }

  /** The record on disk says `released`, or cannot be read. */
  async #readsReleased(): Promise<boolean> {
    try {
      const record = await this.host.store.departures.read(this.migrationId);
      return record === undefined || record.phase === "released";
    } catch {
      return true;
    }
  }

  #unwritable(next: SourcePhase, heard: SourceHeard, error: unknown): SourceHeard | undefined {
    this.host.log.error(
      { migration_id: this.migrationId, err: error, phase: this.phase, next },
      "the state directory cannot be written",
    );
    // Custody moves only after its record: before that, the guest is taken back.
    if (next === "performing" || next === "released") {
      this.fail("STATE_DIRECTORY_UNWRITABLE", "the source's state directory cannot be written");
      return "abort";
    }
    // The person is told, and may say it again; an ending may be on disk all the same: it must be retried.
    if (isOverride(heard) && !CLOSED.has(next)) return undefined;
    this.#unwritten = error instanceof Error ? error.message : String(error);
    this.changes.bump();
    setTimeout(() => void this.hear(heard), REWRITE_AFTER_MS).unref();
    return undefined;
  }

  #moved(step: Step): void {
    this.meet?.tell(); // first: the guest may stand still until the destination hears it
    this.#unwritten = "";
    if (step.from !== step.to) this.#story.add(step);
    if (step.from !== step.to && step.to === "performing") {
      this.#foresee("released");
      this.#foretellArrival();
    }
    if (step.to === "released") this.#tellOfRelease();
    else this.#tell();
    if (this.settled) this.#settle();
  }

  /** The word is on its way before anybody here is told, and what people read comes last. */
  #tellOfRelease(): void {
    setImmediate(() => this.changes.bump());
    setTimeout(() => this.#tell(), TOLD_LATE_MS);
  }

  /** Whoever waits for what is told looks after this turn. */
  #tell(): void {
    this.#story.tell();
    this.changes.bump();
  }

  #settle(): void {
    this.endedAt = new Date();
    this.#vigil.end();
    this.#story.over(this.endedAt);
    this.#end();
    this.host.settled(this);
  }
}
