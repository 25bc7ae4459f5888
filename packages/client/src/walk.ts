/*
 * Walks one migration through its five steps: makes a call, hears what came of it, asks decide.ts
 * for the row, does as the row says. It decides nothing itself, and nothing it does can make a guest
 * run twice: the agents exchange custody, a controller only orders.
 *
 * From Prepare on it holds the tether. Only three things make it let go: the outcome, its own
 * caller's abort (after Abort and Finish(abandon)), and the end of this process.
 */
import {
  AbortOutcome,
  ConfirmRequest,
  DestinationServiceService,
  FinishOrder,
  FinishRequest,
  type GuestDescription,
  type PerformResponse,
  SourceServiceService,
} from "@ferry/contract";
import { type Asked, Asking } from "./asking.js";
import type { Bounds } from "./bounds.js";
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
import { fromWireCause, fromWireVerdict, troubleOf } from "./hear.js";
import type { Host } from "./host.js";
import { look } from "./look.js";
import {
  type MigrationEvent,
  MigrationRefused,
  type Outcome,
  progressNow,
  type Why,
} from "./outcome.js";
import { type Move, ROWS, type RowId } from "./rows.js";
import { openTether, type Tether } from "./tether.js";
import { type Transport, toWireTransport } from "./transport.js";
import { type Told, whyOf } from "./why.js";

export interface WalkOptions {
  readonly migrationId: string;
  readonly guestId: string;
  readonly from: Host;
  readonly to: Host;
  readonly transport: Transport | undefined;
  readonly downtimeLimitMs: number;
  readonly bandwidthBytesPerSecond: number;
  readonly heartbeatMs: number;
  readonly signal: AbortSignal | undefined;
  readonly bounds: Bounds;
}

/** A lease is renewed this many times before it would lapse. */
const RENEWALS = 3;

export class Walk {
  readonly feed = new Feed<MigrationEvent>();
  readonly result: Promise<Outcome>;
  #known: Known = NOTHING_KNOWN;
  #why: Why | undefined;
  #description: GuestDescription | undefined;
  #leaseMs = 0;
  #sourceAgentId: string;
  #destinationAgentId: string;
  #destinationAddress: string;
  #qemuDowntimeMs: number | undefined;
  #tether: Tether | undefined;
  #holding = false;
  #ended = false;
  readonly #startedAt = performance.now();
  readonly #asked = new Map<Asked, Asking>();
  /** The last row each speaker led to, so that a repeat is told once. */
  readonly #told = new Map<Call, RowId>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Hangs up every call that is left when it is over. */
  readonly #over = new AbortController();
  #resolve: (outcome: Outcome) => void = () => {};
  #reject: (refused: MigrationRefused) => void = () => {};

  constructor(readonly options: WalkOptions) {
    const { from, to } = options;
    this.#sourceAgentId = from.expected.source;
    this.#destinationAgentId = to.expected.destination;
    this.#destinationAddress = to.destination.address;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.result.catch(() => {}); // whoever awaits it is told; nobody has to
  }

  start(): void {
    const { signal } = this.options;
    const abort = () => this.#hear({ call: "caller", word: "abort" });
    if (signal?.aborted === true) {
      this.#ended = true;
      this.#close();
      this.#reject(new MigrationRefused("caller-abort", undefined, "aborted before it began"));
      return;
    }
    signal?.addEventListener("abort", abort, { once: true });
    this.#over.signal.addEventListener("abort", () => signal?.removeEventListener("abort", abort));
    this.#ask("begin");
  }

  #hear(told: Told): void {
    if (this.#ended) return;
    const decided = this.#known.verdict !== undefined;
    this.#known = learn(this.#known, told);
    if (!decided && this.#known.verdict !== undefined) this.#asked.get("confirm")?.answered();
    const row = decide(this.#known, told);
    const { move, next } = ROWS[row];
    this.#why ??= whyOf(row, told);
    if (row !== this.#told.get(told.call) && row !== "perform-progress" && row !== "tether-news") {
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
    void this.#attempt(call);
  }

  #again(told: Told): void {
    const call = told.call as Asked; // only the rows of these calls say "repeat"
    const asking = this.#asking(call);
    if (told.word === "pending" || told.word === "again") {
      if (call === "finish") asking.answered();
    }
    const pauseMs = asking.pause(this.#known, told.retryAfterMs);
    if (pauseMs === undefined) {
      const { fault, message } = told;
      this.#hear({ call, word: "timeout", fault, message });
      return;
    }
    this.#after(pauseMs, () => void this.#attempt(call));
  }

  /** The source is silent and the destination may hold the only good copy. */
  #hold(): void {
    if (!this.#holding) {
      this.#holding = true;
      const message =
        "the source cannot be reached, and the destination may hold the only good copy of the guest: holding its tether until the source is back";
      this.feed.push({ kind: "holding", message });
    }
    this.#after(this.options.bounds.pauseMaxMs, () => void this.#attempt("perform"));
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

  /** Makes one call and hears what came of it. It throws nothing. */
  async #attempt(call: Asked): Promise<void> {
    try {
      await this.#make(call);
    } catch (error) {
      // Every call that is asked may hear every kind of trouble; the union hides that.
      this.#hear({ call, ...troubleOf(error) } as Told);
    }
  }

  #make(call: Asked): Promise<void> {
    switch (call) {
      case "begin":
        return this.#begin();
      case "prepare":
        return this.#prepare();
      case "perform":
        return this.#perform();
      case "finish":
        return this.#finish("finish", FinishOrder.LAND);
      case "abandon":
        return this.#finish("abandon", FinishOrder.ABANDON);
      case "abort":
        return this.#abort();
      case "confirm":
        return this.#confirm();
    }
  }

  async #begin(): Promise<void> {
    const answer = await this.options.from.source.unary(
      SourceServiceService.begin,
      this.#beginRequest(),
      this.#limits("begin"),
    );
    this.#sourceAgentId = answer.agentId;
    this.#description = answer.description;
    this.#leaseMs = answer.leaseMs;
    this.#hear({ call: "begin", word: "ok" });
  }

  #beginRequest() {
    const { migrationId, guestId } = this.options;
    return { expectedAgentId: this.#sourceAgentId, migrationId, guestId, validateOnly: false };
  }

  /** Repeats Begin until Perform takes the lease over. A renewal that fails is told by Perform. */
  #keepLease(): void {
    if (this.#leaseMs === 0) return;
    this.#after(this.#leaseMs / RENEWALS, () => {
      const { performed, withdrawing } = this.#known;
      if (performed || withdrawing) return;
      this.options.from.source
        .unary(SourceServiceService.begin, this.#beginRequest(), this.#limits("begin", true))
        .catch(() => {});
      this.#keepLease();
    });
  }

  async #prepare(): Promise<void> {
    const { to, bounds, migrationId, transport, heartbeatMs } = this.options;
    const asking = this.#asking("prepare");
    const leftMs = Math.max(0, asking.leftMs(this.#known));
    if (!(await to.destination.ready(Math.min(bounds.connectMs, leftMs)))) {
      const message = `no connection to ${to.destination.address}`;
      this.#hear({ call: "prepare", word: "unreachable", message });
      return;
    }
    if (this.#ended || this.#known.withdrawing) return;
    this.#known = { ...this.#known, there: "perhaps" };
    const open = {
      expectedAgentId: this.#destinationAgentId,
      migrationId,
      description: this.#description,
      transport: toWireTransport(transport),
      heartbeatIntervalMs: heartbeatMs,
      validateOnly: false,
    };
    let prepared = false;
    this.#after(leftMs, () => {
      if (this.#known.there !== "prepared") this.#hear({ call: "prepare", word: "timeout" });
    });
    this.#tether = openTether(to.destination, open, {
      prepared: ({ peerAddress, warnings }, agentId) => {
        prepared = true;
        this.#destinationAgentId = agentId;
        if (peerAddress !== "") this.#destinationAddress = peerAddress;
        for (const message of warnings) this.feed.push({ kind: "warning", message });
        this.#hear({ call: "prepare", word: "ok" });
      },
      news: (phase) => {
        if (phase !== undefined) {
          this.#known = { ...this.#known, whole: mayBeWhole(phase) };
          this.feed.push({ kind: "phase", role: "destination", phase });
        }
        this.#hear({ call: "tether", word: "news" });
      },
      landed: () => this.#hear({ call: "tether", word: "landed", verdict: "landed" }),
      ended: (error) => this.#tetherEnded(error, prepared),
    });
  }

  #tetherEnded(error: Error | undefined, prepared: boolean): void {
    if (error === undefined && prepared) {
      this.#hear({ call: "tether", word: "landed", verdict: "landed" });
      return;
    }
    const trouble = troubleOf(error ?? new Error("the stream ended before the guest was prepared"));
    if (!prepared) {
      this.#hear({ call: "prepare", ...trouble });
      return;
    }
    const { verdict, fault, message } = trouble;
    this.#hear({ call: "tether", word: verdict ?? "lost", verdict, fault, message });
  }

  async #perform(): Promise<void> {
    const { from, migrationId, downtimeLimitMs, bandwidthBytesPerSecond } = this.options;
    const request = {
      expectedAgentId: this.#sourceAgentId,
      migrationId,
      destinationAddress: this.#destinationAddress,
      destinationAgentId: this.#destinationAgentId,
      bandwidthBytesPerSecond: BigInt(Math.round(bandwidthBytesPerSecond)),
      downtimeLimitMs,
    };
    const { signal } = this.#over;
    let phase = "";
    for await (const response of from.source.watch(SourceServiceService.perform, request, {
      signal,
    })) {
      this.#asking("perform").answered();
      this.#holding = false;
      if (response.phase !== phase) {
        phase = response.phase;
        this.feed.push({ kind: "phase", role: "source", phase });
      }
      if (this.#performed(response)) return;
    }
    this.#hear({ call: "perform", word: "silence", message: "the stream ended early" });
  }

  /** Hears one of Perform's events. True: it was the last. */
  #performed({ event }: PerformResponse): boolean {
    switch (event?.$case) {
      case "bound":
        this.#hear({ call: "perform", word: "bound" });
        return false;
      case "progress":
        this.feed.push({ kind: "progress", progress: progressNow(event.value) });
        this.#hear({ call: "perform", word: "progress" });
        return false;
      case "released":
        this.#qemuDowntimeMs = Number(event.value.qemuDowntimeMs);
        this.#hear({ call: "perform", word: "released" });
        return true;
      case "failed": {
        const { reason, description } = event.value;
        this.#hear({ call: "perform", word: "failed", reason, message: description });
        return true;
      }
      default:
        return false; // newer than this library
    }
  }

  async #finish(call: "finish" | "abandon", order: FinishOrder): Promise<void> {
    const { to, bounds, migrationId } = this.options;
    const waitMs = this.#waitMs(call);
    const { verdict, cause, reason } = await to.destination.unary(
      DestinationServiceService.finish,
      FinishRequest.fromPartial({
        expectedAgentId: this.#destinationAgentId,
        migrationId,
        order,
        waitMs,
      }),
      { timeoutMs: waitMs + bounds.callMs, signal: this.#over.signal },
    );
    const final = fromWireVerdict(verdict);
    const message = reason || undefined;
    const told = { verdict: final, cause: fromWireCause(cause), message };
    this.#hear({ call, word: final ?? "pending", ...told });
  }

  async #abort(): Promise<void> {
    const { from, migrationId } = this.options;
    const { outcome } = await from.source.unary(
      SourceServiceService.abort,
      { expectedAgentId: this.#sourceAgentId, migrationId },
      this.#limits("abort"),
    );
    const word = ABORTS[outcome];
    if (word === undefined) this.#hear({ call: "abort", word: "silence" });
    else this.#hear({ call: "abort", word });
  }

  async #confirm(): Promise<void> {
    const { from, bounds, migrationId } = this.options;
    const waitMs = this.#waitMs("confirm");
    const answer = await from.source.unary(
      SourceServiceService.confirm,
      ConfirmRequest.fromPartial({ expectedAgentId: this.#sourceAgentId, migrationId, waitMs }),
      { timeoutMs: waitMs + bounds.callMs, signal: this.#over.signal },
    );
    const verdict = fromWireVerdict(answer.verdict);
    const done = answer.settled || verdict === "perished";
    const message = answer.reason || undefined;
    this.#hear({ call: "confirm", word: (done && verdict) || "pending", verdict, message });
  }

  /** How long an agent shall wait for an answer, within what is left to ask. */
  #waitMs(call: Asked): number {
    const leftMs = Math.max(0, this.#asking(call).leftMs(this.#known));
    return Math.floor(Math.min(this.options.bounds.waitMs, leftMs));
  }

  #limits(call: Asked, afresh = false) {
    const { callMs } = this.options.bounds;
    const leftMs = afresh ? callMs : Math.max(1, this.#asking(call).leftMs(this.#known));
    return { timeoutMs: Math.min(callMs, leftMs), signal: this.#over.signal };
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
    const guest = await look(this.options, verdict);
    const outcome: Outcome = {
      migrationId: this.options.migrationId,
      guestId: this.options.guestId,
      verdict,
      settled: row === "confirm-landed" || row === "confirm-returned" || row === "abort-early",
      guestAt: verdict === "landed" ? "destination" : verdict === "returned" ? "source" : "unknown",
      ...guest,
      why: verdict === "landed" ? undefined : this.#why,
      qemuDowntimeMs: this.#qemuDowntimeMs,
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
    this.#over.abort();
    this.#tether?.cut();
    for (const timer of this.#timers) clearTimeout(timer);
    this.feed.end();
  }
}

const ABORTS: Readonly<Partial<Record<AbortOutcome, "aborted" | "underWay" | "tooLate">>> = {
  [AbortOutcome.ABORTED]: "aborted",
  [AbortOutcome.UNDER_WAY]: "underWay",
  [AbortOutcome.TOO_LATE]: "tooLate",
};
