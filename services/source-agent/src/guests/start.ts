/*
 * Start launches a guest here. What must not drift between hosts is pinned now: the versioned
 * machine type and the CPU model, with QEMU's own expansion of it for later comparison.
 */
import { isDeepStrictEqual } from "node:util";
import type { QemuHere } from "@ferry/agent-kit";
import {
  checkAddressee,
  checkServing,
  fromWireSpec,
  type GuestRecord,
  guestRunDirectory,
} from "@ferry/agent-kit";
import { Fault, type StartRequest, type StartResponse } from "@ferry/contract";
import {
  checkPaths,
  commandLine,
  cont,
  expandCpu,
  type GuestSpec,
  launchQemu,
  makeRunDirectory,
  neededOf,
  qemuLivingIn,
  removeRunDirectory,
  wantedBy,
} from "@ferry/qemu";
import { busy } from "../busy.js";
import type { Departures } from "../departures.js";
import { Resident } from "../resident.js";
import type { Residents } from "../residents.js";
import { describe } from "./describe.js";

export interface StartOptions {
  readonly agentId: string;
  readonly residents: Residents;
  readonly departures: Departures;
  readonly qemu: Promise<QemuHere>;
  readonly keeperPath: string;
  draining(): boolean;
}

export function startHandler(options: StartOptions) {
  return async (request: StartRequest): Promise<StartResponse> => {
    checkAddressee(request, options.agentId);
    const asked = fromWireSpec(request.spec);
    checkServing(options.draining());
    return options.residents.turns.take(asked.guestId, async () => {
      const qemu = await options.qemu;
      // A Start that is repeated means the guest that runs, whatever this host could do by now.
      const there = await options.residents.find(asked.guestId);
      const runsOn = there?.dead === false ? there.record.guest.accelerator : undefined;
      if (runsOn === undefined && asked.accelerator !== "tcg") await qemu.kvmNow();
      const pinned = await pin(asked, qemu, runsOn ?? qemu.accelerator);
      const resident = await start(pinned, request.paused, qemu, options);
      return { agentId: options.agentId, guest: describe(resident) };
    });
  };
}

/** Settles what the caller left open, so that the guest is the same on every host. */
async function pin(
  spec: GuestSpec,
  qemu: QemuHere,
  usual: "kvm" | "tcg",
): Promise<GuestSpec & { accelerator: "kvm" | "tcg" }> {
  const machineType = qemu.build.machineAliases[spec.machineType] ?? spec.machineType;
  if (!qemu.build.machineTypes.includes(machineType)) {
    throw new Fault(
      "HOST_UNFIT",
      `this host's QEMU ${qemu.build.version} does not know machine type ${spec.machineType}`,
      {
        blockers: [
          {
            reason: "MACHINE_TYPE_UNKNOWN",
            subject: spec.machineType,
            description: "choose one that AgentService.GetInfo lists",
          },
        ],
      },
    );
  }
  const accelerator = spec.accelerator === "auto" ? usual : spec.accelerator;
  if (accelerator === "kvm" && !qemu.kvm.works) {
    throw new Fault("ACCELERATOR_MISSING", `KVM does not work on this host: ${qemu.kvm.reason}`);
  }
  const cpuModel = spec.cpuModel || (accelerator === "kvm" ? "host" : "qemu64");
  return { ...spec, machineType, accelerator, cpuModel };
}

async function start(
  spec: GuestSpec & { accelerator: "kvm" | "tcg" },
  paused: boolean,
  qemu: QemuHere,
  options: StartOptions,
): Promise<Resident> {
  const { residents, departures } = options;
  const { config } = residents.host;
  const { guestId } = spec;
  const there = await residents.find(guestId);
  if (there !== undefined && !there.dead) {
    if (isDeepStrictEqual(there.record.guest.spec, { ...spec })) return there;
    throw new Fault(
      "GUEST_EXISTS",
      `a guest ${guestId} runs here already, with another specification: stop it first, or choose another name`,
    );
  }
  if (there === undefined) checkRoom(residents);
  const leaving = departures.ofGuest(guestId);
  if (leaving !== undefined) {
    throw busy(
      leaving.migrationId,
      `migration ${leaving.migrationId} of this guest is not settled (${leaving.phase}): starting it afresh could run it twice`,
    );
  }
  const problems = await checkPaths(spec, config.qemu.allowedPaths);
  if (problems.length > 0) {
    const blockers = problems.map(({ reason, path, description }) => ({
      reason,
      subject: path,
      description,
    }));
    const text = blockers.map((each) => `${each.reason}: ${each.description}`).join("; ");
    throw new Fault("HOST_UNFIT", text, { blockers });
  }
  const runDir = guestRunDirectory(config.runDir, guestId);
  const stray = await qemuLivingIn(runDir);
  if (stray !== undefined) {
    throw new Fault(
      "GUEST_EXISTS",
      `${stray} that no record names lives in ${runDir} and may run this guest: \`ferry doctor\` says what to do with it`,
    );
  }
  if (there !== undefined) await residents.remove(there); // lost: its QEMU is gone for good

  const record: GuestRecord = {
    guest: {
      spec: { ...spec, disks: [...spec.disks], nics: [...spec.nics] },
      runDir,
      qemuVersion: qemu.build.version,
      qemuBinary: config.qemu.binary,
      accelerator: spec.accelerator,
      cpuProperties: {},
      paused,
      since: new Date().toISOString(),
    },
  };
  if (there === undefined) checkRoom(residents); // others may have begun to start meanwhile; from here on this one counts
  return residents.starting(guestId, () => launchWritten(record, qemu, options));
}

function checkRoom(residents: Residents): void {
  const { config, metrics } = residents.host;
  const { guestsMax } = config.limits;
  if (residents.count < guestsMax) return;
  metrics.limits.refused("guests_max");
  const description = `as many guests as this host takes live here (${guestsMax})`;
  throw new Fault("NO_SLOT", description, {
    blockers: [{ reason: "NO_SLOT", subject: "guests_max", description }],
  });
}

/** Writes it down, and launches it, or leaves nothing of it. */
async function launchWritten(
  record: GuestRecord,
  qemu: QemuHere,
  options: StartOptions,
): Promise<Resident> {
  const { store } = options.residents.host;
  const { guestId } = record.guest.spec;
  await store.guests.create(guestId, record);
  // Both agents write their own record first and look for the other's afterwards: one of them sees it.
  const arriving = await store.arrivalOf(guestId);
  if (arriving !== undefined) {
    await store.guests.remove(guestId);
    throw busy(arriving, `the guest is arriving here, in migration ${arriving}`);
  }
  try {
    return await launch(record, qemu, options);
  } catch (error) {
    await store.guests.remove(guestId);
    await removeRunDirectory(record.guest.runDir);
    const text = error instanceof Error ? error.message : String(error);
    if (error instanceof Fault) throw error;
    const description = `QEMU would not start: ${text}`;
    const reason = wantedBy(text);
    if (reason === undefined) throw new Fault("QEMU_FAILED", description);
    throw new Fault("HOST_UNFIT", description, {
      blockers: [{ reason, subject: guestId, description }],
    });
  }
}

/** The guest runs only after its record is complete: an agent that dies before leaves nothing behind. */
async function launch(
  record: GuestRecord,
  { runAs }: QemuHere,
  options: StartOptions,
): Promise<Resident> {
  const { residents } = options;
  const { config, store, log } = residents.host;
  const { spec, runDir, accelerator, paused } = record.guest;
  await makeRunDirectory(runDir, runAs?.user);
  const keeper = await launchQemu({
    runDir,
    binary: config.qemu.binary,
    keeperPath: options.keeperPath,
    cgroups: config.qemu.cgroups,
    argv: commandLine(spec, {
      accelerator,
      runDir,
      monitors: ["source.qmp", "destination.qmp", "debug.qmp"],
      incoming: false,
      paused: true,
      sandbox: config.qemu.sandbox,
      runAs,
    }),
  });
  const resident = new Resident(record, keeper, log);
  try {
    const qmp = await resident.open();
    resident.record = {
      guest: {
        ...record.guest,
        cpuProperties: neededOf(await expandCpu(qmp, spec.cpuModel)),
        processes: { keeper: keeper.keeper, qemu: keeper.qemu },
      },
    };
    await store.guests.update(resident.guestId, resident.record);
    keeper.free();
    if (!paused) {
      const answer = await cont(qmp);
      if (answer !== "ran") throw new Error(answer.refused);
    }
    await resident.look();
  } catch (error) {
    resident.stopping = true;
    resident.close();
    await keeper.kill();
    throw error;
  }
  residents.add(resident);
  log.info({ guest_id: resident.guestId, pid: keeper.qemu.pid, run_dir: runDir }, "guest started");
  return resident;
}
