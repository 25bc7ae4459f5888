/*
 * A tether ties a prepared guest to the caller's open stream: the guest lives while the stream does.
 * Whatever ends the stream first cuts it, once, with its cause. A half-close is not an end (grpc-js
 * tells `end` of that, and before every cut too), so nothing here listens to it.
 */
import type { CutCause } from "./cause.js";
import type { Call, Connections } from "./connections.js";
import { heartbeatBudget } from "./floods.js";
import { Heart } from "./heart.js";

/** A caller cancels at its own deadline, by its own clock: this close to ours it means the deadline. */
const DEADLINE_SLACK_MS = 1_000;
/** The longest a timer can wait. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export interface Tie {
  /** Resolves once, when the tether is cut. Never, if it was untied before. */
  readonly cut: Promise<{ readonly cause: CutCause }>;
  /** The guest needs its caller no more. Does nothing to a tether that was cut. */
  untie(): void;
  /**
   * The caller sent something. False: far more than any caller has to say, so the tether is cut, and whoever
   * asks must read no further: everybody else's tethers hang on the same event loop.
   */
  heartbeat(): boolean;
}

export interface TethersOptions {
  /** Of the listener the calls come through. */
  readonly connections: Connections;
  /** Milliseconds since 1970; the clock of deadlines. */
  readonly now?: () => number;
}

export interface TieOptions {
  /** How often the caller promised to send something, in milliseconds; 0: it promised nothing. */
  readonly heartbeatMs: number;
}

/** Every tether of this agent. */
export class Tethers {
  readonly #connections: Connections;
  readonly #now: () => number;
  readonly #ties = new Map<Tie, (cause: CutCause) => void>();

  constructor({ connections, now = Date.now }: TethersOptions) {
    this.#connections = connections;
    this.#now = now;
  }

  /** Tethers that are neither cut nor untied. */
  get open(): number {
    return this.#ties.size;
  }

  /** Ties a call. One that was cancelled already is cut at once. */
  tie(call: Call, { heartbeatMs }: TieOptions): Tie {
    const connection = this.#connections.of(call);
    let tell: (cut: { readonly cause: CutCause }) => void = () => {};
    const cut = new Promise<{ readonly cause: CutCause }>((resolve) => {
      tell = resolve;
    });

    const end = (cause: CutCause) => {
      if (!release()) return;
      tell({ cause });
    };
    const cancelled = () => end(this.#causeOf(call, connection?.state ?? "open"));
    const heart = heartbeatMs > 0 ? new Heart(heartbeatMs, () => end("heartbeat")) : undefined;
    let flooded = false;
    const spend = heartbeatBudget(() => {
      flooded = true;
      end("heartbeat");
    });
    const deadline = this.#onDeadline(call, () => end("deadline"));
    const release = (): boolean => {
      call.off("cancelled", cancelled);
      heart?.end();
      clearTimeout(deadline);
      return this.#ties.delete(tie);
    };

    const tie: Tie = {
      cut,
      untie: () => void release(),
      heartbeat: () => {
        heart?.beat();
        spend();
        return !flooded;
      },
    };
    this.#ties.set(tie, end);
    call.on("cancelled", cancelled);
    if (call.cancelled) cancelled();
    return tie;
  }

  /** Cuts every tether, as when this agent goes away. */
  cutAll(cause: CutCause): void {
    for (const end of [...this.#ties.values()]) end(cause);
  }

  #causeOf(call: Call, state: "open" | "left" | "dropped"): CutCause {
    const lateMs = this.#now() - Number(call.getDeadline()); // no deadline: -Infinity
    if (lateMs >= 0) return "deadline";
    if (state === "left") return "connection_lost";
    if (state === "dropped") return "keepalive";
    return lateMs >= -DEADLINE_SLACK_MS ? "deadline" : "cancelled";
  }

  /**
   * grpc-js ends a call at its deadline by sending the status after everything else, which waits for
   * ever while the caller does not read. A deadline is a promise to let go: it has a timer of its own.
   */
  #onDeadline(call: Call, passed: () => void): NodeJS.Timeout | undefined {
    const leftMs = Number(call.getDeadline()) - this.#now();
    if (leftMs > TIMER_MS_MAX) return undefined; // none, or one that `checkDeadline` refuses
    return setTimeout(passed, Math.max(0, leftMs));
  }
}
