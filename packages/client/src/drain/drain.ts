/*
 * Empties a host: moves every guest that can be moved to the targets, a few at a time, and says what
 * was left and why. Placing new guests elsewhere meanwhile is its caller's business; guests that come
 * all the same are moved too.
 */
import type { Bounds } from "../bounds.js";
import type { Transport } from "../transport.js";
import type { RunOptions } from "./options.js";
import { planDrain } from "./plan.js";
import { DrainWork } from "./run.js";
import { survey } from "./survey.js";
import type {
  DrainEvent,
  DrainOrder,
  DrainPlan,
  DrainReport,
  DrainState,
  NamedHost,
} from "./words.js";

export interface DrainOptions {
  /** The host to be emptied. */
  readonly from: NamedHost;
  /** Where its guests may go. */
  readonly to: readonly NamedHost[];
  /** Moves under way at once, at most; the agents' own limits hold as well. Default 2. */
  readonly parallel?: number | undefined;
  /** Which begin first. Default "largest": the host is empty soonest. */
  readonly order?: DrainOrder | undefined;
  /** Guests that stay. */
  readonly except?: readonly string[] | undefined;
  /** Undefined: direct, encrypted. */
  readonly transport?: Transport | undefined;
  /** As in MigrateOptions, of every target. */
  readonly network?: string | undefined;
  /** Longest blackout at which QEMU may switch over, in milliseconds. Undefined: the agent's 300. */
  readonly downtimeLimitMs?: number | undefined;
  /** What all copies together may take, in bytes per second. Undefined: no limit. */
  readonly bandwidthBytesPerSecond?: number | undefined;
  /** As in MigrateOptions: for callers behind an L7 proxy. */
  readonly heartbeatMs?: number | undefined;
  /** How long a guest may wait for what passes (a slot, another migration), in milliseconds. Default 10 min. */
  readonly patienceMs?: number | undefined;
  /** Aborts the drain: those under way are ended cleanly. */
  readonly signal?: AbortSignal | undefined;
  /** Of each migration. */
  readonly bounds?: Partial<Bounds>;
}

/** A drain under way: its events, its plan, and its result. */
export interface DrainRun extends AsyncIterable<DrainEvent> {
  /** The first plan. Rejects if the host would not tell what lives there. */
  readonly plan: Promise<DrainPlan>;
  /** Resolves whatever became of the guests; rejects if the host would not tell what lives there. */
  readonly result: Promise<DrainReport>;
  readonly state: DrainState;
  /** Begins no more moves until `resume`. Those under way go on. */
  pause(): void;
  resume(): void;
  /** Begins no more moves, and ends once those under way have ended. */
  end(): void;
  /** Ends those under way too, cleanly. A guest that has landed by then has landed. */
  abort(): void;
}

const PARALLEL = 2;
const PATIENCE_MS = 10 * 60_000;

/** Looks at the host and its targets and plans, and does nothing. Throws what the host would not tell. */
export async function planOf(options: DrainOptions): Promise<DrainPlan> {
  const run = runOptions(options);
  return planDrain(await survey(run), run);
}

/** Starts at once. Throws RangeError if the options make no sense. */
export function drain(options: DrainOptions): DrainRun {
  const work = new DrainWork(runOptions(options));
  const { signal } = options;
  const abort = () => work.abort();
  if (signal?.aborted === true) abort();
  signal?.addEventListener("abort", abort, { once: true });
  const result = work.run().finally(() => signal?.removeEventListener("abort", abort));
  result.catch(() => {}); // whoever awaits it is told; nobody has to
  return {
    plan: work.plan,
    result,
    get state() {
      return work.state;
    },
    pause: () => work.pause(),
    resume: () => work.resume(),
    end: () => work.end(),
    abort,
    [Symbol.asyncIterator]: () => work.feed[Symbol.asyncIterator](),
  };
}

function runOptions(options: DrainOptions): RunOptions {
  const { from, to, parallel = PARALLEL, order = "largest", except = [] } = options;
  const names = to.map(({ name }) => name);
  if (names.length === 0) throw new RangeError("a drain wants at least one target");
  if (new Set(names).size < names.length) throw new RangeError("a target is named twice");
  if (names.includes(from.name)) throw new RangeError(`${from.name} cannot take its own guests`);
  if (!Number.isInteger(parallel) || parallel < 1) {
    throw new RangeError(`parallel: a whole number, 1 or more, is wanted, not ${parallel}`);
  }
  return {
    from,
    to,
    parallel,
    order,
    except: new Set(except),
    transport: options.transport,
    network: options.network,
    downtimeLimitMs: options.downtimeLimitMs,
    bandwidthBytesPerSecond: options.bandwidthBytesPerSecond,
    heartbeatMs: options.heartbeatMs,
    patienceMs: options.patienceMs ?? PATIENCE_MS,
    bounds: options.bounds ?? {},
  };
}
