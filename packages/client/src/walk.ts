/*
 * Walks one migration through its five steps: makes a call, hears what came of it, asks decide.ts
 * for the row, does as the row says. It decides nothing itself, and nothing it does can make a guest
 * run twice: the agents exchange custody, a controller only orders.
 *
 * From Prepare on it holds the tether. Only three things make it let go: the outcome, its own
 * caller's abort (after Abort and Finish(abandon)), and the end of this process.
 */
import { type Asked, Asking } from "./asking.js";
import type { Bounds } from "./bounds.js";
import { Calls } from "./calls.js";
import {
  afterMove,
  type Call,
  decide,
  type Known,
  learn,
  mayBeWhole,
  NOTHING_KNOWN,
} from "./decide.js";
import { Feed } from "./feed.js";
import type { Host } from "./host.js";
import { look } from "./look.js";
import { type MigrationEvent, MigrationRefused, type Outcome, type Why } from "./outcome.js";
import { type Move, ROWS, type RowId } from "./rows.js";
import type { Transport } from "./transport.js";
import { betterWhy, type Told, whyOf } from "./why.js";

export interface WalkOptions {
  readonly migrationId: string;
  readonly guestId: string;
  readonly from: Host;
  readonly to: Host;
  readonly transport: Transport | undefined;
  /** Empty: the destination's default. */
  readonly network: string;
  readonly downtimeLimitMs: number;
  readonly bandwidthBytesPerSecond: number;
  /** Undefined: no limit. */
  readonly timeoutMs: number | undefined;
  readonly heartbeatMs: number;
  readonly signal: AbortSignal | undefined;
  readonly traceparent: string | undefined;
  readonly bounds: Bounds;
}

/** A lease is renewed this many times before it would lapse. */
const RENEWALS = 3;
const HOLDING =
  "the source cannot be reached, and the destination may hold the only good copy of the guest: holding its tether until the source is back";
/** Rows that come with news of their own, or with every beat. */
const UNTOLD: ReadonlySet<RowId> = new Set(["perform-progress", "tether-news", "tether-met"]);

export class Walk {
  readonly feed = new Feed<MigrationEvent>();
  readonly result: Promise<Outcome>;
  #known: Known = NOTHING_KNOWN;
  #why: Why | undefined;
  #holding = false;
  #ended = false;
  /** The last look at a guest that has landed, taken while the source is asked to confirm. */
  #looked: ReturnType<typeof look> | undefined;
  /** The last row each speaker led to, so that a repeat is told once. */
  readonly #told = new Map<Call, RowId>();
  readonly #startedAt = performance.now();
  readonly #asked = new Map<Asked, Asking>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #calls: Calls;
  #resolve: (outcome: Outcome) => void = () => {};
  #reject: (refused: MigrationRefused) => void = () => {};
  readonly #abort = () => this.#hear({ call: "caller", word: "abort" });

  constructor(readonly options: WalkOptions) {
    this.#calls = new Calls(options, {
      hear: (told) => this.#hear(told),
      tell: (event) => this.feed.push(event),
      phase: (phase) => {
        this.#known = { ...this.#known, whole: mayBeWhole(phase) };
        this.feed.push({ kind: "phase", role: "destination", phase });
      },
      heardFromSource: () => {
        this.#holding = false;
        this.#asking("perform").answered();
      },
      leftMs: (call) => Math.max(0, this.#asking(call).leftMs(this.#known)),
      mayPrepare: () => this.#mayPrepare(),
    });
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.result.catch(() => {}); // whoever awaits it is told; nobody has to
  }

  start(): void {
    const { signal } = this.options;
    if (signal?.aborted === true) {
      this.#refuse("caller-abort", {
        call: "caller",
        word: "abort",
        message: "aborted before it began",
      });
      return;
    }
    signal?.addEventListener("abort", this.#abort, { once: true });
    this.#keepTimeout();
    this.#ask("begin");
  }

  /** Until Perform was called the time limit is ours to keep; from then on it is the source's. */
  #keepTimeout(): void {
    const { timeoutMs } = this.options;
    if (timeoutMs === undefined) return;
    this.#after(timeoutMs, () => {
      const { performed, withdrawing, verdict } = this.#known;
      if (performed || withdrawing || verdict !== undefined) return;
      const message = `nothing was copied within ${timeoutMs} ms, the time this migration had`;
      this.#hear({ call: "caller", word: "abort", reason: "MIGRATION_TIMEOUT", message });
    });
  }

  #hear(told: Told): void {
    if (this.#ended) return;
    const decided = this.#known.verdict !== undefined;
    this.#known = learn(this.#known, told);
    // Once there is a verdict, Confirm has another limit: it counts from here.
    if (!decided && this.#known.verdict !== undefined) {
      this.#asked.get("confirm")?.answered();
      if (this.#known.verdict === "landed") this.#looked = look(this.options, "landed");
    }
    const row = decide(this.#known, told);
    const { move, next } = ROWS[row];
    this.#why = betterWhy(this.#why, whyOf(row, told));
    if (row !== this.#told.get(told.call) && !UNTOLD.has(row)) {
      this.#told.set(told.call, row);
      this.feed.push({ kind: "decision", row, call: told.call, next, message: told.message });
    }
    this.#act(move, row, told);
  }

  #act(move: Move, row: RowId, told: Told): void {
    const { confirmOver } = this.#known;
    this.#known = afterMove(this.#known, move);
    switch (move) {
      case "prepare":
        this.#keepLease();
        this.#ask("prepare");
        break;
      case "land":
        this.#ask("finish");
        break;
      case "perform":
      case "abort":
      case "abandon":
        this.#ask(move);
        break;
      case "confirm":
      case "askBoth": // Finish is under way
        if (confirmOver) this.#asked.delete("confirm");
        this.#ask("confirm");
        break;
      case "repeat":
        this.#again(told);
        break;
      case "hold":
        this.#hold();
        break;
      case "wait":
        break;
      case "refuse":
        this.#refuse(row, told);
        break;
      case "end":
        void this.#end(row);
    }
  }

  /** Makes a call, unless it was made before: then it is under way, or has been answered. */
  #ask(call: Asked): void {
    if (this.#asked.has(call)) return;
    this.#asked.set(call, new Asking(call, this.options.bounds));
    void this.#calls.make(call);
  }

  #again(told: Told): void {
    const call = told.call as Asked; // only the rows of these calls say "repeat"
    const asking = this.#asking(call);
    const answered = told.word === "pending" || told.word === "again";
    // The copy may take hours: only a silent destination wears Finish's limit down.
    if (call === "finish" && answered) asking.answered();
    const pauseMs = asking.pause(this.#known, told.retryAfterMs);
    if (pauseMs === undefined) {
      const { fault, message } = told;
      this.#hear({ call, word: "timeout", fault, message });
      return;
    }
    this.#after(pauseMs, () => void this.#calls.make(call));
  }

  /** The source is silent and the destination may hold the only good copy. */
  #hold(): void {
    if (!this.#holding) this.feed.push({ kind: "holding", message: HOLDING });
    this.#holding = true;
    this.#after(this.options.bounds.pauseMaxMs, () => void this.#calls.make("perform"));
  }

  #mayPrepare(): boolean {
    if (this.#ended || this.#known.withdrawing) return false;
    this.#known = { ...this.#known, there: "perhaps" };
    this.#after(Math.max(0, this.#asking("prepare").leftMs(this.#known)), () => {
      if (this.#known.there !== "prepared") this.#hear({ call: "prepare", word: "timeout" });
    });
    return true;
  }

  /** Renews Begin's lease until Perform takes it over. */
  #keepLease(): void {
    const { leaseMs } = this.#calls;
    if (leaseMs === 0) return;
    this.#after(leaseMs / RENEWALS, () => {
      const { performed, withdrawing } = this.#known;
      if (performed || withdrawing) return;
      this.#calls.renewLease();
      this.#keepLease();
    });
  }

  #asking(call: Asked): Asking {
    const asking = this.#asked.get(call);
    if (asking === undefined) throw new Error(`${call} was never asked`);
    return asking;
  }

  #after(delayMs: number, then: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#ended) then();
    }, delayMs);
    this.#timers.add(timer);
  }

  #refuse(row: RowId, { fault, message }: Told): void {
    this.#ended = true;
    this.#close();
    this.#reject(new MigrationRefused(row, fault, message ?? ROWS[row].knew));
  }

  async #end(row: RowId): Promise<void> {
    this.#ended = true;
    const { verdict: told, kept } = this.#known;
    const verdict = told ?? (kept || row === "abort-early" ? "returned" : "pending");
    const looked = await (this.#looked ?? look(this.options, verdict));
    const outcome: Outcome = {
      migrationId: this.options.migrationId,
      guestId: this.options.guestId,
      verdict,
      settled: row === "confirm-landed" || row === "confirm-returned" || row === "abort-early",
      guestAt: verdict === "landed" ? "destination" : verdict === "returned" ? "source" : "unknown",
      ...looked,
      why: verdict === "landed" ? undefined : this.#why,
      qemuDowntimeMs: this.#calls.qemuDowntimeMs,
      durationMs: performance.now() - this.#startedAt,
      row,
      next: ROWS[row].next,
    };
    this.feed.push({ kind: "outcome", outcome });
    this.#close();
    this.#resolve(outcome);
  }

  /** Lets everything go, the tether too: by now it holds nothing, or nothing can be known. */
  #close(): void {
    this.options.signal?.removeEventListener("abort", this.#abort);
    this.#calls.close();
    for (const timer of this.#timers) clearTimeout(timer);
    this.feed.end();
  }
}
