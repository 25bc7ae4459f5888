/*
 * Prepare is the tether. While this stream is open the prepared guest may live; when it is cut,
 * for whatever reason, the arrival's table hears it and decides. The guest is tied only once it
 * was accepted: a second Prepare on a live id is refused, and its own end must not cut the first
 * caller's tether. A half-close is not an end, so nothing here listens to it.
 */
import { randomBytes } from "node:crypto";
import {
  callIdsOf,
  checkAddressee,
  checkMigrationId,
  checkProbeNetwork,
  checkServing,
  fromWireTransport,
  guestRunDirectory,
  invalid,
  type Logger,
  statusOf,
} from "@ferry/agent-kit";
import {
  type Blocker,
  Fault,
  type PrepareOpen,
  type PrepareRequest,
  type PrepareResponse,
} from "@ferry/contract";
import type { Tie } from "@ferry/tether";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import {
  type AdmissionHost,
  arrivesAlready,
  type Candidate,
  candidateOf,
  findBlockers,
  findFull,
  limitsIn,
  refusal,
} from "./admission.js";
import { Arrival } from "./arrival.js";
import type { Arrivals } from "./arrivals.js";

type PrepareCall = ServerDuplexStream<PrepareRequest, PrepareResponse>;

/** A deadline shorter than this is likely a framework's default, and would kill a real guest. */
const SHORT_DEADLINE_MS = 10 * 60_000;
const HEARTBEAT_MIN_MS = 100;
const HEARTBEAT_MAX_MS = 60_000;

export interface PrepareOptions {
  readonly agentId: string;
  readonly arrivals: Arrivals;
  readonly log: Logger;
  /** Rejects with a Fault if this host's QEMU cannot be used. */
  readonly host: Promise<AdmissionHost>;
  /** "host:port" source agents are told to dial; empty: whatever address the caller used. */
  readonly advertise: string;
  /** Who calls, for limits per caller. */
  callerOf(call: PrepareCall): string;
  tie(call: PrepareCall, heartbeatMs: number): Tie;
  draining(): boolean;
}

/** The same, once this host's QEMU was asked what it can take. */
type Admitting = Omit<PrepareOptions, "host"> & { readonly host: AdmissionHost };

export function prepareHandler(options: PrepareOptions) {
  return (call: PrepareCall): void => {
    prepare(call, options).catch((error: unknown) =>
      call.emit("error", statusOf(error, call, options.log)),
    );
  };
}

async function prepare(call: PrepareCall, asked: PrepareOptions): Promise<void> {
  const { agentId, arrivals } = asked;
  const open = await opening(call);
  checkAddressee(open, agentId);
  const migrationId = checkMigrationId(open.migrationId);
  checkHeartbeat(open.heartbeatIntervalMs);
  const candidate = candidateOf(open.description, {
    transport: fromWireTransport(open.transport),
    network: checkProbeNetwork(open.network),
    caller: asked.callerOf(call),
  });
  const options: Admitting = { ...asked, host: await asked.host };
  const { host } = options;

  if (open.validateOnly) {
    const blockers = await findBlockers(candidate, host, arrivals);
    call.write({
      agentId,
      event: { $case: "validated", value: { blockers, peerAddress: options.advertise } },
    });
    call.end();
    return;
  }
  checkServing(options.draining());
  const { traceparent } = callIdsOf(call.metadata);
  const arrival = await admit(migrationId, { candidate, traceparent }, options);
  const tie = options.tie(call, open.heartbeatIntervalMs);
  void arrival.hear("prepare");
  arrival.tether(tie); // fires at once if the caller is gone already; heard after `prepare`
  let flooded = false;
  call.on("data", () => {
    if (tie.heartbeat()) return;
    flooded = true;
    call.pause();
  });

  const beat = setInterval(
    () => call.write({ agentId, event: { $case: "beat", value: {} } }),
    host.config.timeouts.tetherBeatMs,
  );
  try {
    await tell(call, arrival, options);
  } catch (error) {
    throw flooded ? tooMany(error) : error;
  } finally {
    clearInterval(beat);
  }
}

/** The same fault, in words that tell a caller which sends in a loop what it did. */
function tooMany(error: unknown): unknown {
  if (!(error instanceof Fault)) return error;
  return new Fault(
    error.reason,
    `${error.message}: too many messages came; send one each heartbeat_interval_ms, and none if that is 0`,
    error.details,
  );
}

/** The stream's first message. A caller that hangs up before it has prepared nothing. */
async function opening(call: PrepareCall): Promise<PrepareOpen> {
  const first = await new Promise<PrepareRequest | undefined>((resolve) => {
    call.once("data", resolve);
    call.once("end", () => resolve(undefined));
    call.once("cancelled", () => resolve(undefined));
  });
  if (first?.message?.$case !== "open") throw invalid("open", "the first message must be `open`");
  return first.message.value;
}

function checkHeartbeat(intervalMs: number): void {
  if (intervalMs === 0) return;
  if (intervalMs < HEARTBEAT_MIN_MS || intervalMs > HEARTBEAT_MAX_MS) {
    throw invalid(
      "heartbeat_interval_ms",
      `0, or ${HEARTBEAT_MIN_MS} to ${HEARTBEAT_MAX_MS}, not ${intervalMs}`,
    );
  }
}

/** Accepts the guest, or throws with every reason against it. Two callers cannot both be accepted. */
async function admit(
  migrationId: string,
  { candidate, traceparent }: { candidate: Candidate; traceparent: string | undefined },
  options: Admitting,
): Promise<Arrival> {
  const { arrivals, host, agentId } = options;
  const known = arrivals.live(migrationId)?.view() ?? arrivals.ended(migrationId);
  if (known !== undefined && known.verdict !== "pending") {
    throw new Fault(
      "MIGRATION_OVER",
      `migration ${migrationId} is over (${known.verdict}): begin again under a new id`,
      { verdict: known.verdict, ...(known.cause === undefined ? {} : { cause: known.cause }) },
    );
  }
  const { guestId } = candidate.spec;
  if (known !== undefined || arrivals.reserved(migrationId)) {
    throw new Fault(
      "TETHER_HELD",
      `migration ${migrationId} is prepared on ${agentId} already, and its caller holds the tether`,
    );
  }
  const other = arrivals.admitting(guestId);
  if (other !== undefined) throw refusal([arrivesAlready(guestId, other)]);
  const release = arrivals.reserve(migrationId, guestId);
  try {
    const blockers = await findBlockers(candidate, host, arrivals);
    if (blockers.length > 0) throw refused(blockers);
    return await arrivals.turns.take("admission", async () => {
      // Others may have been accepted meanwhile.
      const full = await findFull(candidate, host, arrivals);
      if (full.length > 0) throw refused(full);
      // And this agent may end by now: it cuts the tethers there are, and waits for no other guest.
      checkServing(options.draining());
      return accepted();
    });
  } finally {
    release();
  }

  function refused(blockers: readonly Blocker[]): Fault {
    for (const name of limitsIn(blockers)) host.metrics.limits.refused(name);
    return refusal(blockers);
  }

  function accepted(): Arrival {
    const now = new Date().toISOString();
    const arrival = new Arrival(
      { ...host, settled: (settled) => arrivals.settled(settled) },
      {
        guest: {
          spec: {
            ...candidate.spec,
            disks: [...candidate.spec.disks],
            nics: [...candidate.spec.nics],
          },
          runDir: guestRunDirectory(host.config.runDir, migrationId),
          qemuVersion: host.qemuVersion,
          qemuBinary: host.config.qemu.binary,
          accelerator: candidate.accelerator,
          cpuProperties: { ...candidate.cpuProperties },
          paused: candidate.paused,
          since: now,
        },
        arrival: {
          migrationId,
          phase: "preparing",
          arrival: arrivalNumber(),
          sourceAgentId: candidate.sourceAgentId,
          transport: candidate.transport,
          ...(candidate.network === "" ? {} : { network: candidate.network }),
          startedAt: now,
          ...(traceparent === undefined ? {} : { traceparent }),
        },
      },
    );
    arrival.caller = candidate.caller;
    arrivals.add(arrival);
    return arrival;
  }
}

/** 64 random bits, never 0: 0 means "none known". */
function arrivalNumber(): string {
  const number = randomBytes(8).readBigUInt64BE();
  return number === 0n ? arrivalNumber() : number.toString();
}

/** Phases of an arrival whose QEMU does not listen yet, or was given up before it did. */
const UNPREPARED: ReadonlySet<string> = new Set([
  "empty",
  "preparing",
  "discarding",
  "returned",
  "perished",
]);

/** Tells the caller what happens until the end, which is OK after landing and an error otherwise. */
async function tell(call: PrepareCall, arrival: Arrival, options: Admitting): Promise<void> {
  const { agentId, advertise } = options;
  call.write({ agentId, event: { $case: "accepted", value: { peerAddress: advertise } } });
  let seen = -1;
  let told: string | undefined;
  let prepared = false;
  while (!arrival.settled) {
    seen = await arrival.changes.after(seen);
    if (arrival.phase === told) continue;
    told = arrival.phase;
    if (!prepared && !UNPREPARED.has(arrival.phase)) {
      prepared = true;
      call.write({ agentId, event: { $case: "prepared", value: preparedEvent(call, options) } });
    }
    call.write({ agentId, event: { $case: "phase", value: { phase: told } } });
  }
  if (arrival.phase === "landed") {
    call.write({ agentId, event: { $case: "landed", value: { guestId: arrival.guestId } } });
    call.end();
    return;
  }
  const { verdict, cause } = arrival;
  const why = arrival.reason || "it could not be prepared";
  // No retry of this id helps: it is over. So what another host may have is this host's unfitness.
  const lack = prepared ? undefined : arrival.lack;
  const blockers =
    lack === undefined ? [] : [{ reason: lack, subject: arrival.guestId, description: why }];
  throw new Fault(
    prepared ? "TETHER_CUT" : lack === undefined ? "QEMU_FAILED" : "HOST_UNFIT",
    `the guest was discarded (${verdict}): ${why}`,
    { verdict, blockers, ...(cause === undefined ? {} : { cause }) },
  );
}

function preparedEvent(call: PrepareCall, { advertise, host }: Admitting) {
  const deadline = Number(call.getDeadline());
  const { timeMs, timeoutMs } = host.config.keepalive;
  const warnings: string[] = [];
  if (deadline - Date.now() < SHORT_DEADLINE_MS) {
    warnings.push(
      `this stream's deadline passes in ${Math.max(0, Math.round((deadline - Date.now()) / 1000))} s and will kill the guest then unless it has landed: call Prepare without a deadline`,
    );
  }
  return {
    peerAddress: advertise,
    tetherExpiresAt: Number.isFinite(deadline) ? new Date(deadline) : undefined,
    warnings,
    keepaliveBoundMs: timeMs + timeoutMs,
  };
}
