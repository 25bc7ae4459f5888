/*
 * Perform binds the guest to a destination and shows how the copy goes. The stream is a view: it
 * starts the copy if nobody did, and losing it cancels nothing. Repeating it re-attaches; it never
 * re-aims a migration at another destination, nor gives it other limits.
 */
import {
  type CallContext,
  checkAddress,
  checkAddressee,
  checkMigrationId,
  invalid,
  toWireTransport,
} from "@ferry/agent-kit";
import {
  Fault,
  type PerformRequest,
  type PerformResponse,
  type Progress,
  TIMEOUT_MAX_MS,
} from "@ferry/contract";
import type { Verdict } from "@ferry/protocol";
import { keepDeadline } from "./deadline.js";
import type { Departure } from "./departure.js";
import type { Departures } from "./departures.js";
import { toWireProgress } from "./progress.js";
import { checkLimits } from "./repeated-limits.js";
import type { Residents } from "./residents.js";

const DOWNTIME_DEFAULT_MS = 300;
const DOWNTIME_MAX_MS = 60_000;
/** Numbers are sent at most this often, in milliseconds. */
const PROGRESS_MS = 200;
/** Phases before the two agents have met. */
const UNMET: ReadonlySet<string> = new Set(["idle", "begun", "meeting"]);

export interface PerformOptions {
  readonly agentId: string;
  readonly departures: Departures;
  readonly residents: Residents;
}

export function performHandler(options: PerformOptions) {
  return async function* (
    request: PerformRequest,
    { signal, traceparent }: Pick<CallContext, "signal" | "traceparent">,
  ): AsyncGenerator<PerformResponse> {
    checkAddressee(request, options.agentId);
    const departure = await perform(request, traceparent, options);
    yield* show(departure, options.agentId, signal);
  };
}

/** Starts the copy, or finds the one under way. */
async function perform(
  request: PerformRequest,
  traceparent: string | undefined,
  { departures, residents }: PerformOptions,
): Promise<Departure> {
  const migrationId = checkMigrationId(request.migrationId);
  const aim = checkAim(request);
  const departure = departures.live(migrationId);
  if (departure === undefined) {
    const ended = departures.ended(migrationId);
    if (ended === undefined) {
      throw new Fault(
        "MIGRATION_UNKNOWN",
        `no migration ${migrationId} was begun here: call Begin`,
      );
    }
    throw over(migrationId, ended.verdict, ended.reason);
  }
  return residents.turns.take(departure.guestId, async () => {
    const { record } = departure;
    if (record.destinationAgentId === "") {
      if (departure.settled) {
        throw over(migrationId, departure.verdict, departure.failure?.description ?? "");
      }
      residents.leases.end(departure);
      departure.record = { ...record, ...aim };
      keepDeadline(departure);
      departure.traced(traceparent);
      await departure.hear("perform");
      return departure;
    }
    if (
      record.destinationAgentId !== aim.destinationAgentId ||
      record.destinationAddress !== aim.destinationAddress
    ) {
      throw new Fault(
        "ID_CONFLICT",
        `migration ${migrationId} is bound to ${record.destinationAgentId} at ${record.destinationAddress}: a retry elsewhere is a new id`,
      );
    }
    const { bandwidthBytesPerSecond } = aim; // rounded as the first one was
    checkLimits({ ...request, bandwidthBytesPerSecond }, record);
    return departure;
  });
}

function over(migrationId: string, verdict: Verdict, reason: string): Fault {
  const why = reason === "" ? "" : `: ${reason}`;
  return new Fault(
    "MIGRATION_OVER",
    `migration ${migrationId} is over (${verdict})${why}; begin again under a new id`,
    { verdict },
  );
}

function checkAim(request: PerformRequest) {
  const { destinationAddress, destinationAgentId } = checkAddress(request);
  if (request.downtimeLimitMs > DOWNTIME_MAX_MS) {
    throw invalid("downtime_limit_ms", `at most ${DOWNTIME_MAX_MS}`);
  }
  if (request.timeoutMs > TIMEOUT_MAX_MS) {
    throw invalid("timeout_ms", `0 for none, or at most ${TIMEOUT_MAX_MS} (24 days)`);
  }
  return {
    destinationAddress,
    destinationAgentId,
    // Some callers mean "no limit" by the largest number there is, and that rounds to one that cannot be sent.
    bandwidthBytesPerSecond: Math.min(
      Number(request.bandwidthBytesPerSecond),
      Number.MAX_SAFE_INTEGER,
    ),
    downtimeLimitMs: request.downtimeLimitMs || DOWNTIME_DEFAULT_MS,
    ...(request.timeoutMs === 0
      ? {}
      : {
          deadline: new Date(Date.now() + request.timeoutMs).toISOString(),
          timeoutMs: request.timeoutMs,
        }),
  };
}

async function* show(
  departure: Departure,
  agentId: string,
  signal: AbortSignal,
): AsyncGenerator<PerformResponse> {
  const event = (event: PerformResponse["event"]): PerformResponse => ({
    agentId,
    phase: departure.phase,
    event,
  });
  let seen = -1;
  let bound = false;
  let shown: Progress | undefined;
  let shownAt = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    seen = await departure.changes.after(seen, signal);
    if (signal.aborted) return;
    if (departure.record.arrival !== "0" && !bound && !UNMET.has(departure.phase)) {
      bound = true;
      yield event({
        $case: "bound",
        value: { transport: toWireTransport(departure.record.transport) },
      });
    }
    if (departure.failed) {
      yield event({ $case: "failed", value: failureOf(departure) });
      return;
    }
    if (departure.released) {
      await departure.measured;
      const progress = toWireProgress(departure.progress);
      const qemuDowntimeMs = BigInt(Math.round(departure.qemuDowntimeMs));
      yield event({ $case: "released", value: { progress, qemuDowntimeMs } });
      return;
    }
    const progress = toWireProgress(departure.progress);
    const due = performance.now() - shownAt >= PROGRESS_MS;
    if (bound && due && progress !== undefined && progress !== shown) {
      shown = progress;
      shownAt = performance.now();
      yield event({ $case: "progress", value: progress });
    }
  }
}

function failureOf(departure: Departure) {
  return {
    reason: departure.failure?.reason ?? "UNKNOWN",
    description: departure.failure?.description ?? "the migration failed",
    guestKept: departure.phase === "kept" || departure.phase === "reclaimed",
  };
}
