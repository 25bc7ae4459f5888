/*
 * A drain under way: looks, plans, moves, and looks again, until nothing is left that can go. It only
 * calls `migrate()`: no guest is ever stopped or paused, whatever fails, and each is its source's or its
 * target's by the same promises as if it were moved by hand. Nothing is kept between two drains: what a
 * host still has is all that a drain needs to know, so that running it again goes on where it stopped.
 */
import { randomUUID } from "node:crypto";
import type { Bounds } from "../bounds.js";
import { Feed } from "../feed.js";
import { troubleOf } from "../hear.js";
import { guestStateName } from "../look.js";
import { migrate } from "../migrate.js";
import { MigrationRefused, type Outcome } from "../outcome.js";
import type { Transport } from "../transport.js";
import { ADVICE_WORDS, type Advice, adviceOn, delayOf } from "./advice.js";
import { inWords, stateIsPassing } from "./blockers.js";
import { Experience, schedule, shareOf } from "./forecast.js";
import { Places, type Seeker } from "./places.js";
import { planDrain } from "./plan.js";
import { reportOf } from "./report.js";
import { arrivalsAt, survey } from "./survey.js";
import type {
  DrainEvent,
  DrainPlan,
  DrainProgress,
  DrainReport,
  DrainState,
  Ending,
  LeftGuest,
  LeftReason,
  MovedGuest,
  Moving,
  NamedHost,
  Obstacle,
  PlanOptions,
} from "./words.js";

export interface RunOptions extends PlanOptions {
  readonly from: NamedHost;
  readonly to: readonly NamedHost[];
  readonly transport: Transport | undefined;
  readonly network: string | undefined;
  readonly downtimeLimitMs: number | undefined;
  /** How long a guest may wait for what passes (a slot, another migration), in milliseconds. */
  readonly patienceMs: number;
  readonly bounds: Partial<Bounds>;
}

/** A guest is tried so often; waiting for a limit is no try. */
const TRIES_MAX = 5;
/** Pause before a guest is tried again after a failure, in milliseconds; doubled each time. */
const AGAIN_MS = 1_000;
const AGAIN_MAX_MS = 30_000;
/** Between two looks at a host to which guests are still on their way, in milliseconds. */
const LOOK_MS = 1_000;
/** How long a target that does not answer is waited for when nothing else is left to do, in milliseconds. */
const TARGET_PATIENCE_MS = 30_000;
/** How long the host itself may be silent before its drain is given up, in milliseconds. */
const SILENCE_MS = 30_000;
/** A move in a drain gives up sooner than one by hand: there is another target, or another turn. */
const BOUNDS: Partial<Bounds> = { prepareMs: 45_000 };

/** A guest that waits for its turn. */
interface Waiting extends Seeker {
  readonly guestId: string;
  readonly takesMs: number;
  readonly avoid: Set<string>;
  readonly shunned: Set<string>;
  readonly obstacles: Obstacle[];
  notBefore: number;
  /** Since when it has only waited for something that passes. */
  waitsSince: number | undefined;
  tries: number;
}

interface Active {
  readonly waiting: Waiting;
  readonly to: string;
  readonly migrationId: string;
  readonly abort: AbortController;
  phase: string;
  ratio: number;
  transferBytesPerSecond: number;
}

export class DrainWork {
  readonly feed = new Feed<DrainEvent>();
  readonly plan: Promise<DrainPlan>;
  #planned: (plan: DrainPlan) => void = () => {};
  #unplanned: (error: unknown) => void = () => {};
  readonly #startedAt = performance.now();
  readonly #places: Places;
  readonly #queue: Waiting[] = [];
  readonly #active = new Map<string, Active>();
  readonly #moved: MovedGuest[] = [];
  readonly #movedBytes = new Map<string, number>();
  readonly #left = new Map<string, LeftGuest>();
  readonly #gone = new Set<string>();
  readonly #experience = new Experience();
  #state: DrainState = "running";
  #parallel = 1;
  /** What the last look left. */
  #unplaced: readonly LeftGuest[] = [];
  #wakes: (() => void)[] = [];

  constructor(readonly options: RunOptions) {
    this.#places = new Places(options.to);
    this.plan = new Promise((resolve, reject) => {
      this.#planned = resolve;
      this.#unplanned = reject;
    });
    this.plan.catch(() => {}); // whoever awaits it is told; nobody has to
  }

  get state(): DrainState {
    return this.#state;
  }

  /** Begins no more moves until resumed. */
  pause(): void {
    if (this.#state === "running") this.#become("paused");
  }

  resume(): void {
    if (this.#state === "paused") this.#become("running");
  }

  /** Begins no more moves; those under way end as they will. */
  end(): void {
    if (this.#state === "running" || this.#state === "paused") this.#become("ending");
  }

  /** Ends those under way too, cleanly: a guest that has landed by then has landed. */
  abort(): void {
    if (this.#state === "aborting") return;
    this.#become("aborting");
    for (const { abort } of this.#active.values()) abort.abort();
  }

  async run(): Promise<DrainReport> {
    try {
      await this.#rounds();
      const report = await this.#report();
      this.feed.push({ kind: "report", report });
      return report;
    } catch (error) {
      this.#unplanned(error);
      throw error;
    } finally {
      this.feed.end();
    }
  }

  get #over(): boolean {
    return this.#state === "ending" || this.#state === "aborting";
  }

  /** Looks and moves, until a look shows nothing more to do. */
  async #rounds(): Promise<void> {
    let idleSince: number | undefined;
    for (let round = 0; ; round += 1) {
      const plan = await this.#look().catch((error: unknown) => {
        if (round === 0) throw error;
        return undefined; // what was moved is told all the same, and that the host did not answer
      });
      if (plan === undefined) return;
      if (round === 0 || plan.moves.length > 0) this.feed.push({ kind: "plan", plan });
      this.#planned(plan);
      this.#unplaced = plan.left;
      this.#enqueue(plan);
      if (plan.moves.length > 0) {
        idleSince = undefined;
        await this.#moveAll();
        if (this.#over) return;
        continue;
      }
      if (this.#over) return;
      idleSince ??= performance.now();
      const reason = this.#worthWaiting(plan, performance.now() - idleSince);
      if (reason === undefined) return;
      this.feed.push({ kind: "waiting", message: reason });
      await this.#pause(LOOK_MS);
    }
  }

  /** Why another look may show more, in words; undefined: it will not. */
  #worthWaiting(plan: DrainPlan, idleMs: number): string | undefined {
    if (plan.arriving > 0 && idleMs < this.options.patienceMs) {
      return `${plan.arriving} guests are on their way to ${plan.from}`;
    }
    const homeless = plan.left.some(({ reason }) => reason === "no-target");
    const silent = plan.targets.filter(({ trouble }) => trouble !== undefined);
    if (homeless && silent.length > 0 && idleMs < TARGET_PATIENCE_MS) {
      return silent.map(({ name, trouble }) => `${name}: ${trouble}`).join("; ");
    }
    return undefined;
  }

  async #look(): Promise<DrainPlan> {
    const since = performance.now();
    for (;;) {
      try {
        const done = [...this.#left.keys(), ...this.#moved.map(({ guestId }) => guestId)];
        const except = new Set([...this.options.except, ...done.filter((id) => this.#isDone(id))]);
        const seen = await survey({ ...this.options, except });
        const guests = seen.guests.filter(({ guestId }) => !this.#isDone(guestId));
        return planDrain({ ...seen, guests }, this.options);
      } catch (error) {
        const { word, message } = troubleOf(error);
        const passing = word === "silence" || word === "again";
        if (!passing || this.#over || performance.now() - since > SILENCE_MS) throw error;
        const { name } = this.options.from;
        this.feed.push({ kind: "waiting", message: `${name} does not answer: ${message}` });
        await this.#pause(LOOK_MS);
      }
    }
  }

  /** Left for good, or moved with its old host yet to let go of it. One that has come back is not. */
  #isDone(guestId: string): boolean {
    const unsettled = this.#moved.some((each) => each.guestId === guestId && !each.settled);
    return unsettled || this.#left.has(guestId);
  }

  #enqueue(plan: DrainPlan): void {
    this.#parallel = plan.parallel;
    this.#places.take(plan);
    for (const { guestId, memoryBytes, to, others, takesMs } of plan.moves) {
      this.#queue.push({
        guestId,
        memoryBytes,
        takesMs,
        to,
        fits: [to, ...others],
        avoid: new Set(),
        shunned: new Set(),
        obstacles: [],
        notBefore: 0,
        waitsSince: undefined,
        tries: 0,
      });
    }
    this.#tell();
  }

  async #moveAll(): Promise<void> {
    while (this.#queue.length > 0 || this.#active.size > 0) {
      if (this.#over && this.#active.size === 0) break;
      if (this.#state === "running") this.#startMore();
      if (this.#queue.length > 0 || this.#active.size > 0) await this.#pause(this.#untilNext());
    }
    for (const waiting of this.#queue.splice(0)) this.#leave(waiting, "ended", ENDED);
  }

  #startMore(): void {
    const now = performance.now();
    for (const waiting of [...this.#queue]) {
      if (this.#active.size >= this.#parallel) return;
      if (waiting.notBefore > now) continue;
      const to = this.#places.choose(waiting, now);
      if (to !== undefined) this.#start(waiting, to);
      else this.#waitOrLeave(waiting, now);
    }
  }

  /** No place now: perhaps one of its targets is only left alone, or full of this drain's own guests. */
  #waitOrLeave(waiting: Waiting, now: number): void {
    const until = this.#places.coolUntil(waiting, now);
    if (until !== undefined) waiting.notBefore = until;
    else if (this.#active.size === 0) {
      this.#drop(waiting);
      this.#leave(waiting, "failed", "no target takes it any more");
    }
  }

  /** Until something may begin by itself, in milliseconds. */
  #untilNext(): number {
    const now = performance.now();
    const times = this.#queue.map(({ notBefore }) => notBefore).filter((time) => time > now);
    return times.length === 0 || this.#state !== "running" ? 60_000 : Math.min(...times) - now;
  }

  #start(waiting: Waiting, to: string): void {
    this.#drop(waiting);
    this.#places.enter(waiting, to);
    const migrationId = randomUUID();
    const active: Active = {
      waiting,
      to,
      migrationId,
      abort: new AbortController(),
      phase: "",
      ratio: 0,
      transferBytesPerSecond: 0,
    };
    const { guestId } = waiting;
    this.#active.set(guestId, active);
    const attempt = waiting.tries + 1;
    this.feed.push({ kind: "started", guestId, to, migrationId, attempt });
    this.#tell();
    void this.#move(active)
      .then((ending) => this.#ended(active, ending))
      .catch((error: unknown) => {
        // Nothing here throws; if it did, the guest is where the agents say, and nobody else is held up.
        const text = error instanceof Error ? error.message : String(error);
        this.#leave(waiting, "failed", text, active.migrationId);
      })
      .finally(() => {
        this.#active.delete(guestId);
        this.#places.leave(to);
        this.#tell();
        this.#wake();
      });
  }

  async #move(active: Active): Promise<Ending> {
    const { from, transport, network, downtimeLimitMs, bandwidthBytesPerSecond, bounds } =
      this.options;
    const run = migrate({
      guestId: active.waiting.guestId,
      from: from.host,
      to: this.#places.host(active.to).host,
      transport,
      network,
      downtimeLimitMs,
      bandwidthBytesPerSecond: shareOf(bandwidthBytesPerSecond, this.#parallel),
      migrationId: active.migrationId,
      signal: active.abort.signal,
      bounds: { ...BOUNDS, ...bounds },
    });
    try {
      for await (const event of run) {
        if (event.kind === "phase" && event.role === "source") active.phase = event.phase;
        else if (event.kind === "progress") {
          active.phase = "performing";
          active.ratio = event.progress.ratio;
          active.transferBytesPerSecond = event.progress.transferBytesPerSecond;
        } else continue;
        this.#tell();
      }
      return { outcome: await run.result };
    } catch (error) {
      if (!(error instanceof MigrationRefused)) throw error;
      const { fault, message } = error;
      return {
        refused: {
          reason: fault?.reason ?? "SILENCE",
          description: message,
          blockers: fault?.blockers ?? [],
          retryAfterMs: fault?.retryAfterMs,
        },
      };
    }
  }

  async #ended(active: Active, ending: Ending): Promise<void> {
    const { waiting, to } = active;
    const advice = await this.#reconsider(adviceOn(ending), waiting);
    if ("outcome" in ending && advice === "moved") {
      this.#landed(active, ending.outcome);
      return;
    }
    const { reason, description, blockers } = wordsOf(ending);
    const host = "refused" in ending ? this.options.from.name : to;
    const told = blockers.length > 0 ? blockers : [{ reason, subject: to, description }];
    const obstacles = told.map((blocker) => ({ host, blocker }));
    const left = (why: LeftReason, words = description) =>
      this.#leave(waiting, why, words, active.migrationId, obstacles);
    if (advice === "person") {
      const { verdict } = "outcome" in ending ? ending.outcome : { verdict: "pending" as const };
      return left(verdict === "perished" ? "perished" : "pending");
    }
    if (advice === "gone") {
      this.#places.giveUp(waiting);
      this.#gone.add(waiting.guestId);
      this.feed.push({ kind: "gone", guestId: waiting.guestId });
      return;
    }
    if (this.#over) return left("ended", ENDED);
    if (advice === "leave") return left("blocked");
    waiting.obstacles.push(...obstacles);
    const more = this.#retry(active, ending, advice);
    if (more === undefined) return left("failed");
    const { guestId } = waiting;
    const { migrationId } = active;
    const next = ADVICE_WORDS[advice];
    this.feed.push({
      kind: "retry",
      guestId,
      to,
      migrationId,
      reason,
      description,
      obstacles,
      next,
    });
    this.#queue.push(waiting);
  }

  /** A guest that is just starting, stopping or coming back is none that cannot be moved. */
  async #reconsider(advice: Advice, { guestId }: Waiting): Promise<Advice> {
    if (advice !== "leave") return advice;
    const { guests } = this.options.from.host;
    try {
      const { state } = await guests.get(guestId, { timeoutMs: LOOK_MS });
      return stateIsPassing(guestStateName(state)) ? "wait" : advice;
    } catch (error) {
      return troubleOf(error).fault?.reason === "GUEST_UNKNOWN" ? "gone" : advice;
    }
  }

  /** Readies a guest for its next try; undefined: it has had enough of them. */
  #retry({ waiting, to }: Active, ending: Ending, advice: Advice): true | undefined {
    const now = performance.now();
    if (advice === "wait") {
      const { reason, retryAfterMs } = wordsOf(ending);
      waiting.waitsSince ??= now;
      const until = now + delayOf(reason, retryAfterMs);
      if (until - waiting.waitsSince > this.options.patienceMs) return undefined;
      if ("outcome" in ending) this.#places.full(to, until);
      else waiting.notBefore = until;
      return true;
    }
    waiting.waitsSince = undefined;
    waiting.tries += 1;
    if (waiting.tries >= TRIES_MAX) return undefined;
    if (advice === "target-down") {
      const coolMs = this.#places.trouble(to, now);
      if (this.#places.choose(waiting, now) === undefined) waiting.notBefore = now + coolMs;
    } else if (advice === "elsewhere") {
      waiting.avoid.add(to);
      if (waiting.fits.every((name) => waiting.avoid.has(name))) return undefined;
      shun(waiting, to);
    } else {
      shun(waiting, to);
      waiting.notBefore = now + Math.min(AGAIN_MAX_MS, AGAIN_MS * 2 ** waiting.tries);
    }
    return true;
  }

  #landed({ waiting, to, migrationId }: Active, outcome: Outcome): void {
    const { blackoutMs, qemuDowntimeMs, durationMs, guestState, settled } = outcome;
    const moved: MovedGuest = {
      guestId: waiting.guestId,
      to,
      migrationId,
      blackoutMs: blackoutMs ?? qemuDowntimeMs,
      durationMs,
      state: guestState,
      tries: waiting.tries + 1,
      settled,
    };
    this.#places.well(to);
    this.#experience.learn(waiting.takesMs, durationMs);
    this.#moved.push(moved);
    this.#movedBytes.set(migrationId, waiting.memoryBytes);
    this.feed.push({ kind: "moved", moved });
  }

  #leave(
    waiting: Waiting,
    reason: LeftReason,
    description: string,
    migrationId?: string,
    obstacles: readonly Obstacle[] = [],
  ): void {
    const { guestId } = waiting;
    const next = NEXT[reason];
    const all = [...waiting.obstacles, ...obstacles].filter(firstOfItsKind);
    const left = { guestId, reason, description, obstacles: all, migrationId, next };
    this.#left.set(guestId, left);
    if (reason !== "pending" && reason !== "perished") this.#places.giveUp(waiting);
    this.feed.push({ kind: "left", left });
  }

  #drop(waiting: Waiting): void {
    const index = this.#queue.indexOf(waiting);
    if (index >= 0) this.#queue.splice(index, 1);
  }

  async #report(): Promise<DrainReport> {
    const { from } = this.options;
    const [residents, arriving] = await Promise.all([
      from.host.guests.list({ timeoutMs: LOOK_MS }).then(
        (guests) => guests.map(({ guestId }) => guestId),
        () => undefined,
      ),
      arrivalsAt(from),
    ]);
    const unplaced = this.#unplaced.filter(({ guestId }) => !this.#left.has(guestId));
    return reportOf({
      from: from.name,
      moved: this.#moved,
      left: [...this.#left.values(), ...unplaced],
      gone: [...this.#gone],
      durationMs: performance.now() - this.#startedAt,
      residents,
      arriving,
      early: this.#over,
    });
  }

  #become(state: DrainState): void {
    this.#state = state;
    this.feed.push({ kind: "state", state });
    this.#tell();
    this.#wake();
  }

  #tell(): void {
    this.feed.push({ kind: "progress", progress: this.#progress() });
  }

  #progress(): DrainProgress {
    const active = [...this.#active.values()];
    const movedBytes = [...this.#movedBytes.values()].reduce((sum, bytes) => sum + bytes, 0);
    const copiedBytes = active.reduce(
      (sum, each) => sum + each.waiting.memoryBytes * each.ratio,
      0,
    );
    const wholeBytes = [...active.map(({ waiting }) => waiting), ...this.#queue].reduce(
      (sum, { memoryBytes }) => sum + memoryBytes,
      movedBytes,
    );
    const tasks = [
      ...active.map(({ waiting, to, ratio }) => ({ takesMs: waiting.takesMs * (1 - ratio), to })),
      ...this.#queue,
    ];
    const { takesMs } = schedule(tasks, this.#parallel, this.#places.slots());
    const moving = active.map(
      ({ waiting, to, migrationId, phase, ratio, transferBytesPerSecond }): Moving => ({
        guestId: waiting.guestId,
        to,
        migrationId,
        phase,
        ratio,
        transferBytesPerSecond,
      }),
    );
    return {
      guests: this.#moved.length + active.length + this.#queue.length + this.#left.size,
      moved: this.#moved.length,
      moving,
      waiting: this.#queue.length,
      left: this.#left.size,
      ratio: wholeBytes === 0 ? 1 : (movedBytes + copiedBytes) / wholeBytes,
      etaMs: takesMs * this.#experience.factor,
      state: this.#state,
    };
  }

  #wake(): void {
    for (const wake of this.#wakes.splice(0)) wake();
  }

  /** Waits that long, or until something has happened. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wakes.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

const ENDED = "the drain was ended before it was moved";

const NEXT: Readonly<Record<LeftReason, string>> = {
  excluded: "Nothing: it was your choice.",
  blocked: "Remove what blocks it, then drain again.",
  "no-target": "Mend what is listed, or name another target; then drain again.",
  failed: "It runs on where it was. Look into what is listed, then drain again.",
  ended: "It runs on where it was. Drain again: it goes on where this one stopped.",
  pending: "Do nothing to it. `ferry resolve` tells where it is once the agents have settled it.",
  perished: "Decide yourself: it may have run at the target. Start it nowhere before.",
};

function wordsOf(ending: Ending) {
  if ("refused" in ending) return ending.refused;
  const { why, next } = ending.outcome;
  return {
    reason: why?.reason ?? "UNKNOWN",
    description: why?.description ?? next,
    blockers: why?.blockers ?? [],
    retryAfterMs: undefined,
  };
}

/** It is tried elsewhere first, if there is an elsewhere. */
function shun({ fits, avoid, shunned }: Waiting, to: string): void {
  shunned.add(to);
  if (fits.every((name) => avoid.has(name) || shunned.has(name))) shunned.clear();
}

/** Five tries that failed alike are told once. */
function firstOfItsKind(each: Obstacle, index: number, all: readonly Obstacle[]): boolean {
  const same = ({ host, blocker }: Obstacle) =>
    host === each.host && inWords([blocker]) === inWords([each.blocker]);
  return all.findIndex(same) === index;
}
