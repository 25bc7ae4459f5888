/*
 * The calls of a walk, made and put into the words of decide.ts. Nothing is decided here: every
 * answer, every stream's event and every end is heard by whoever walks. What is remembered is what
 * later calls must carry: which agents answered, and how the guest was described.
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
import type { Asked } from "./asking.js";
import { haveMet } from "./decide.js";
import { fromWireCause, fromWireVerdict, troubleOf } from "./hear.js";
import { type MigrationEvent, progressNow } from "./outcome.js";
import { openTether, type Tether, type TetherListener } from "./tether.js";
import { toWireTransport } from "./transport.js";
import type { WalkOptions } from "./walk.js";
import type { Told } from "./why.js";

/** Who makes the calls, and hears what comes of them. */
export interface Caller {
  hear(told: Told): void;
  tell(event: MigrationEvent): void;
  /** The destination's phase, as it tells it. */
  phase(phase: string): void;
  /** Perform's stream lives: silence is counted from here. */
  heardFromSource(): void;
  /** How long this call may still be made, in milliseconds, never negative. */
  leftMs(call: Asked): number;
  /** Prepare may still be sent; from here on something may be on the destination. */
  mayPrepare(): boolean;
}

export class Calls {
  /** From Begin's answer, in milliseconds; 0 before. */
  leaseMs = 0;
  qemuDowntimeMs: number | undefined;
  #description: GuestDescription | undefined;
  #sourceAgentId: string;
  #destinationAgentId: string;
  #destinationAddress: string;
  #tether: Tether | undefined;
  /** Until when custody must have been given away, by performance.now(). */
  readonly #deadlineMs: number;
  /** Fixed when Perform is first made: it is repeated with the same parameters. */
  #timeoutMs: number | undefined;
  readonly #over = new AbortController();

  constructor(
    readonly options: WalkOptions,
    readonly caller: Caller,
  ) {
    const { from, to } = options;
    this.#sourceAgentId = from.expected.source;
    this.#destinationAgentId = to.expected.destination;
    this.#destinationAddress = to.destination.address;
    this.#deadlineMs = performance.now() + (options.timeoutMs ?? 0);
  }

  /** Makes one call and hears what came of it. It throws nothing. */
  async make(call: Asked): Promise<void> {
    try {
      await this.#make(call);
    } catch (error) {
      // Every call that is asked may hear every kind of trouble; the union hides that.
      this.caller.hear({ call, ...troubleOf(error) } as Told);
    }
  }

  /** Repeats Begin for the lease alone. If that fails, Perform will tell. */
  renewLease(): void {
    const { callMs } = this.options.bounds;
    this.#sendBegin(callMs).catch(() => {});
  }

  /** Hangs up everything, the tether too. */
  close(): void {
    this.#over.abort();
    this.#tether?.cut();
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
    const answer = await this.#sendBegin(this.caller.leftMs("begin"));
    this.#sourceAgentId = answer.agentId;
    this.#description = answer.description;
    this.leaseMs = answer.leaseMs;
    this.caller.hear({ call: "begin", word: "ok" });
  }

  #sendBegin(leftMs: number) {
    const { from, migrationId, guestId } = this.options;
    return from.source.unary(
      SourceServiceService.begin,
      {
        expectedAgentId: this.#sourceAgentId,
        migrationId,
        guestId,
        validateOnly: false,
        path: undefined,
      },
      this.#limits(leftMs),
    );
  }

  async #prepare(): Promise<void> {
    const { to, bounds, migrationId, transport, network, heartbeatMs } = this.options;
    const leftMs = this.caller.leftMs("prepare");
    if (!(await to.destination.ready(Math.min(bounds.connectMs, leftMs)))) {
      const message = `no connection to ${to.destination.address}`;
      this.caller.hear({ call: "prepare", word: "unreachable", message });
      return;
    }
    if (!this.caller.mayPrepare()) return;
    const open = {
      expectedAgentId: this.#destinationAgentId,
      migrationId,
      description: this.#description,
      transport: toWireTransport(transport),
      heartbeatIntervalMs: heartbeatMs,
      validateOnly: false,
      network,
    };
    let prepared = false;
    const listener: TetherListener = {
      accepted: (peerAddress, agentId) => {
        this.#answered(peerAddress, agentId);
        this.caller.hear({ call: "prepare", word: "accepted" });
      },
      prepared: ({ peerAddress, warnings }, agentId) => {
        prepared = true;
        this.#answered(peerAddress, agentId);
        for (const message of warnings) this.caller.tell({ kind: "warning", message });
        this.caller.hear({ call: "prepare", word: "ok" });
      },
      news: (phase) => {
        if (phase !== undefined) this.caller.phase(phase);
        const met = phase !== undefined && haveMet(phase);
        this.caller.hear({ call: "tether", word: met ? "met" : "news" });
      },
      landed: () => this.caller.hear({ call: "tether", word: "landed", verdict: "landed" }),
      ended: (error) => this.#tetherEnded(error, prepared),
    };
    const { traceparent } = this.options;
    this.#tether = openTether(to.destination, open, listener, { traceparent });
  }

  /** Who holds the tether, and where the source is to find it. */
  #answered(peerAddress: string, agentId: string): void {
    this.#destinationAgentId = agentId;
    if (peerAddress !== "") this.#destinationAddress = peerAddress;
  }

  #tetherEnded(error: Error | undefined, prepared: boolean): void {
    if (error === undefined && prepared) {
      this.caller.hear({ call: "tether", word: "landed", verdict: "landed" });
      return;
    }
    const trouble = troubleOf(error ?? new Error("the stream ended before the guest was prepared"));
    if (!prepared) {
      this.caller.hear({ call: "prepare", ...trouble });
      return;
    }
    const { verdict, fault, message } = trouble;
    this.caller.hear({ call: "tether", word: verdict ?? "lost", verdict, fault, message });
  }

  async #perform(): Promise<void> {
    const { from, migrationId, downtimeLimitMs, bandwidthBytesPerSecond, timeoutMs, traceparent } =
      this.options;
    const leftMs = Math.max(1, Math.round(this.#deadlineMs - performance.now()));
    this.#timeoutMs ??= timeoutMs === undefined ? 0 : leftMs;
    const request = {
      expectedAgentId: this.#sourceAgentId,
      migrationId,
      destinationAddress: this.#destinationAddress,
      destinationAgentId: this.#destinationAgentId,
      bandwidthBytesPerSecond: BigInt(Math.round(bandwidthBytesPerSecond)),
      downtimeLimitMs,
      timeoutMs: this.#timeoutMs,
    };
    const { signal } = this.#over;
    let phase = "";
    const stream = from.source.watch(SourceServiceService.perform, request, {
      signal,
      traceparent,
    });
    for await (const response of stream) {
      this.caller.heardFromSource();
      if (response.phase !== phase) {
        phase = response.phase;
        this.caller.tell({ kind: "phase", role: "source", phase });
      }
      if (this.#performed(response)) return;
    }
    this.caller.hear({ call: "perform", word: "silence", message: "the stream ended early" });
  }

  /** Hears one of Perform's events. True: it was the last. */
  #performed({ event }: PerformResponse): boolean {
    switch (event?.$case) {
      case "bound":
        this.caller.hear({ call: "perform", word: "bound" });
        return false;
      case "progress":
        this.caller.tell({ kind: "progress", progress: progressNow(event.value) });
        this.caller.hear({ call: "perform", word: "progress" });
        return false;
      case "released":
        this.qemuDowntimeMs = Number(event.value.qemuDowntimeMs);
        this.caller.hear({ call: "perform", word: "released" });
        return true;
      case "failed": {
        const { reason, description } = event.value;
        this.caller.hear({ call: "perform", word: "failed", reason, message: description });
        return true;
      }
      default:
        return false; // newer than this library
    }
  }

  async #finish(call: "finish" | "abandon", order: FinishOrder): Promise<void> {
    const { to, migrationId } = this.options;
    const waitMs = this.#waitMs(call);
    const expectedAgentId = this.#destinationAgentId;
    const answer = await to.destination.unary(
      DestinationServiceService.finish,
      FinishRequest.fromPartial({
        expectedAgentId,
        migrationId,
        order,
        wait: { $case: "waitMs", value: waitMs },
      }),
      this.#waiting(waitMs),
    );
    const verdict = fromWireVerdict(answer.verdict);
    const cause = fromWireCause(answer.cause);
    const message = answer.reason || undefined;
    this.caller.hear({ call, word: verdict ?? "pending", verdict, cause, message });
  }

  async #abort(): Promise<void> {
    const { from, migrationId } = this.options;
    const { outcome } = await from.source.unary(
      SourceServiceService.abort,
      { expectedAgentId: this.#sourceAgentId, migrationId },
      this.#limits(this.caller.leftMs("abort")),
    );
    this.caller.hear({ call: "abort", word: ABORTS[outcome] ?? "silence" });
  }

  async #confirm(): Promise<void> {
    const { from, migrationId } = this.options;
    const waitMs = this.#waitMs("confirm");
    const expectedAgentId = this.#sourceAgentId;
    const answer = await from.source.unary(
      SourceServiceService.confirm,
      ConfirmRequest.fromPartial({
        expectedAgentId,
        migrationId,
        wait: { $case: "waitMs", value: waitMs },
      }),
      this.#waiting(waitMs),
    );
    const verdict = fromWireVerdict(answer.verdict);
    const done = answer.settled || verdict === "perished";
    const message = answer.reason || undefined;
    this.caller.hear({ call: "confirm", word: (done && verdict) || "pending", verdict, message });
  }

  /** How long an agent shall wait before it answers `pending`, within what is left to ask. */
  #waitMs(call: Asked): number {
    return Math.floor(Math.min(this.options.bounds.waitMs, this.caller.leftMs(call)));
  }

  #waiting(waitMs: number) {
    const { bounds, traceparent } = this.options;
    return { timeoutMs: waitMs + bounds.callMs, signal: this.#over.signal, traceparent };
  }

  #limits(leftMs: number) {
    const { bounds, traceparent } = this.options;
    const timeoutMs = Math.min(bounds.callMs, Math.max(1, leftMs));
    return { timeoutMs, signal: this.#over.signal, traceparent };
  }
}

const ABORTS: Readonly<Partial<Record<AbortOutcome, "aborted" | "underWay" | "tooLate">>> = {
  [AbortOutcome.ABORTED]: "aborted",
  [AbortOutcome.UNDER_WAY]: "underWay",
  [AbortOutcome.TOO_LATE]: "tooLate",
};
