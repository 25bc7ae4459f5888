/*
 * Begin leases a guest to a migration, describes it, and lists everything that stands in the way.
 * It moves nothing: a lease that lapses harms nobody.
 */
import {
  type CallContext,
  callerName,
  checkAddressee,
  checkGuestId,
  checkMigrationId,
  checkServing,
  invalid,
  toWireAccelerator,
  toWireSpec,
} from "@ferry/agent-kit";
import {
  type BeginRequest,
  type BeginResponse,
  type Blocker,
  Fault,
  type GuestDescription,
  GuestState,
} from "@ferry/contract";
import { migrationBlockers, neededOf } from "@ferry/qemu";
import type { Qmp } from "@ferry/qmp";
import { busy } from "./busy.js";
import { Departure } from "./departure.js";
import type { Departures } from "./departures.js";
import { findPath } from "./path.js";
import type { Resident } from "./resident.js";
import type { Residents } from "./residents.js";

export interface BeginOptions {
  readonly agentId: string;
  readonly hostId: string;
  readonly residents: Residents;
  readonly departures: Departures;
  draining(): boolean;
}

/** How long Begin waits for the guest's last migration to be tidied away, in milliseconds. */
const PUT_BACK_MS = 2_000;

/** Phases in which a lease may still be taken over: nothing moves yet. */
const LEASED: ReadonlySet<string> = new Set(["begun"]);

export function beginHandler(options: BeginOptions) {
  const { agentId, residents } = options;
  return async (
    request: BeginRequest,
    { traceparent, peer }: Pick<CallContext, "traceparent" | "peer">,
  ): Promise<BeginResponse> => {
    checkAddressee(request, agentId);
    const migrationId = checkMigrationId(request.migrationId);
    const guestId = checkGuestId(request.guestId);
    checkServing(options.draining());
    if (request.path !== undefined && !request.validateOnly) {
      throw invalid("path", "only with validate_only");
    }
    const begun = await residents.turns.take(guestId, () =>
      begin(
        migrationId,
        guestId,
        { validateOnly: request.validateOnly, traceparent, caller: callerName(peer) },
        options,
      ),
    );
    const path = request.path && (await findPath(request.path, options.departures.host));
    return { ...begun, path };
  };
}

async function begin(
  migrationId: string,
  guestId: string,
  {
    validateOnly,
    traceparent,
    caller,
  }: { validateOnly: boolean; traceparent: string | undefined; caller: string },
  options: BeginOptions,
): Promise<Omit<BeginResponse, "path">> {
  const { agentId, residents, departures } = options;
  // First: a guest that has left is not here any more, and its migration is over all the same.
  refuseOther(migrationId, guestId, departures);
  // One that has just ended puts QEMU back; that takes a moment, and is not worth a refusal.
  const ending = departures.endingOf(guestId);
  await ending?.changes.until(() => ending.tidied, { withinMs: PUT_BACK_MS });
  const resident = await residents.find(guestId);
  if (resident === undefined) {
    throw new Fault("GUEST_UNKNOWN", `no guest ${guestId} lives on ${options.hostId}`);
  }
  const known = departures.live(migrationId);
  const blockers = await findBlockers(resident, { migrationId, caller }, departures);
  const description = describe(resident, options);
  const leaseMs = departures.host.config.timeouts.leaseMs;
  if (validateOnly) return { agentId, description, leaseMs: 0, blockers };
  if (blockers.length > 0) throw refused(blockers, departures.host.metrics.limits);

  if (known !== undefined) {
    if (known.phase === "begun") residents.leases.renew(known, leaseMs);
    return { agentId, description, leaseMs, blockers };
  }
  const other = departures.ofGuest(guestId);
  if (other !== undefined) {
    other.fail("SUPERSEDED", `migration ${migrationId} took the lease over`);
    await other.hear("lapsed");
  }
  // Others may have begun while QEMU was asked.
  const full = fullBlockers(guestId, caller, departures);
  if (full.length > 0) throw refused(full, departures.host.metrics.limits);
  const departure = new Departure(departures.hostOfDepartures(), resident, {
    migrationId,
    guestId,
    phase: "begun",
    startedAt: new Date().toISOString(),
    destinationAddress: "",
    destinationAgentId: "",
    arrival: "0",
    before: "",
    transport: "direct",
    bandwidthBytesPerSecond: 0,
    downtimeLimitMs: 0,
    paused: resident.record.guest.paused,
    reason: "",
    caller,
    ...(traceparent === undefined ? {} : { traceparent }),
  });
  departures.add(departure);
  await departure.hear("begin");
  residents.leases.renew(departure, leaseMs);
  return { agentId, description, leaseMs, blockers };
}

/** The same id means the same migration of the same guest, for ever. */
function refuseOther(migrationId: string, guestId: string, departures: Departures): void {
  const live = departures.live(migrationId);
  const known = live ?? departures.ended(migrationId);
  if (known === undefined) return;
  if (known.guestId !== guestId) {
    throw new Fault(
      "ID_CONFLICT",
      `migration ${migrationId} is about guest ${known.guestId}, not ${guestId}: use a new id`,
    );
  }
  if (known.settled) {
    throw new Fault(
      "MIGRATION_OVER",
      `migration ${migrationId} is over (${known.verdict}): begin again under a new id`,
      { verdict: known.verdict },
    );
  }
}

async function findBlockers(
  resident: Resident,
  { migrationId, caller }: { migrationId: string; caller: string },
  departures: Departures,
): Promise<Blocker[]> {
  const { guestId } = resident;
  const blockers: Blocker[] = [];
  const other = departures.ofGuest(guestId);
  if (other !== undefined && other.migrationId !== migrationId && !LEASED.has(other.phase)) {
    blockers.push({
      reason: "GUEST_BUSY",
      subject: other.migrationId,
      description: `migration ${other.migrationId} has the guest (${other.phase}): let it end first`,
    });
  }
  const ending = departures.endingOf(guestId);
  if (ending !== undefined) {
    blockers.push({
      reason: "GUEST_BUSY",
      subject: ending.migrationId,
      description: `migration ${ending.migrationId} has just ended, and the guest's QEMU is being put back`,
    });
  }
  blockers.push(...fullBlockers(guestId, caller, departures));
  const landed = other?.phase === "destroying";
  if (resident.dead || resident.stopping || resident.qmp === undefined || landed) {
    blockers.push({
      reason: resident.unreachable && !landed ? "GUEST_UNREACHABLE" : "GUEST_NOT_RUNNING",
      subject: guestId,
      description: notRunning(resident, landed),
    });
    return blockers;
  }
  if (resident.state === GuestState.ERROR) {
    blockers.push({
      reason: "GUEST_NOT_RUNNING",
      subject: guestId,
      description: `QEMU says ${resident.qemuState}: stop the guest, or mend what it stumbled over`,
    });
  }
  for (const description of await saidByQemu(resident.qmp)) {
    blockers.push({ reason: "MIGRATION_BLOCKED", subject: guestId, description });
  }
  return blockers;
}

/** The limits a departure of that guest would break. One that takes over another's lease takes its place, too. */
function fullBlockers(guestId: string, caller: string, departures: Departures): Blocker[] {
  const { departuresMax, departuresPerCallerMax, endingsMax } = departures.host.config.limits;
  const leaving = departures.underWay().filter((each) => each.guestId !== guestId);
  const theirs = leaving.filter((each) => each.caller === caller);
  const full = (name: string, description: string): Blocker => ({
    reason: "NO_SLOT",
    subject: name,
    description,
  });
  return [
    leaving.length < departuresMax
      ? undefined
      : full(
          "departures_max",
          `as many guests as this host lets go of are leaving (${departuresMax})`,
        ),
    theirs.length < departuresPerCallerMax
      ? undefined
      : full(
          "departures_per_caller_max",
          `${caller} has as many guests leaving as one caller may have (${departuresPerCallerMax})`,
        ),
    departures.endedCount < endingsMax
      ? undefined
      : full(
          "endings_max",
          `as many ended migrations as are remembered (${endingsMax}) wait to be forgotten`,
        ),
  ].filter((each) => each !== undefined);
}

function notRunning(resident: Resident, landed: boolean): string {
  if (landed) return "the guest lives elsewhere by now, and its old QEMU is being ended";
  if (resident.dead) return `the guest's QEMU is gone: ${resident.reason}`;
  return resident.unreachable ? resident.reason : "the guest is starting or stopping";
}

/** A QEMU that does not answer cannot be asked to migrate either. */
async function saidByQemu(qmp: Qmp): Promise<string[]> {
  try {
    return await migrationBlockers(qmp);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return [`its QEMU does not answer: ${text}. Look at the guest, and begin again once it runs`];
  }
}

function refused(blockers: readonly Blocker[], limits: Limits): Fault {
  for (const { reason, subject } of blockers) if (reason === "NO_SLOT") limits.refused(subject);
  return refusal(blockers);
}

type Limits = Departures["host"]["metrics"]["limits"];

function refusal(blockers: readonly Blocker[]): Fault {
  const text = blockers.map((each) => `${each.reason}: ${each.description}`).join("; ");
  const details = { blockers: [...blockers] };
  const { reason: first, subject = "" } = blockers[0] ?? {};
  if (first === "GUEST_BUSY") return busy(subject, text, blockers);
  if (first === "NO_SLOT") return new Fault("NO_SLOT", text, details);
  if (first === "GUEST_NOT_RUNNING" || first === "GUEST_UNREACHABLE") {
    return new Fault(first, text, details);
  }
  return new Fault("GUEST_UNFIT", text, details);
}

function describe(resident: Resident, { agentId, hostId }: BeginOptions): GuestDescription {
  const { guest } = resident.record;
  return {
    spec: toWireSpec(guest.spec),
    sourceAgentId: agentId,
    sourceHostId: hostId,
    qemuVersion: guest.qemuVersion,
    accelerator: toWireAccelerator(guest.accelerator),
    cpuProperties: neededOf(guest.cpuProperties), // one that an earlier release started has all of them
    paused: guest.paused,
  };
}
