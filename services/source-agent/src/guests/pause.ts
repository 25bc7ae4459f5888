/* Pause and Resume: an operator's order about the guest's virtual CPUs, written down so that it lasts. */
import { checkAddressee, checkGuestId } from "@ferry/agent-kit";
import {
  Fault,
  type PauseRequest,
  type PauseResponse,
  type ResumeRequest,
  type ResumeResponse,
} from "@ferry/contract";
import { cont, stop } from "@ferry/qemu";
import type { Qmp } from "@ferry/qmp";
import { busy } from "../busy.js";
import type { Departures } from "../departures.js";
import type { Resident } from "../resident.js";
import type { Residents } from "../residents.js";
import { describe } from "./describe.js";

export interface PauseOptions {
  readonly agentId: string;
  readonly residents: Residents;
  readonly departures: Departures;
}

export function pauseHandler(options: PauseOptions) {
  return (request: PauseRequest): Promise<PauseResponse> => order(request, true, options);
}

export function resumeHandler(options: PauseOptions) {
  return (request: ResumeRequest): Promise<ResumeResponse> => order(request, false, options);
}

async function order(
  request: PauseRequest | ResumeRequest,
  paused: boolean,
  { agentId, residents, departures }: PauseOptions,
) {
  checkAddressee(request, agentId);
  const guestId = checkGuestId(request.guestId);
  return residents.turns.take(guestId, async () => {
    const leaving = departures.ofGuest(guestId);
    if (leaving !== undefined) {
      throw busy(
        leaving.migrationId,
        `migration ${leaving.migrationId} has the guest (${leaving.phase}): abort it, or let it end`,
      );
    }
    const { resident, qmp } = await running(guestId, residents);
    if (paused) {
      await stop(qmp);
      await write(resident, true, residents);
    } else {
      // Written first: a guest that runs must not be taken for a paused one by its next migration.
      await write(resident, false, residents);
      const answer = await cont(qmp);
      if (answer !== "ran") throw new Fault("QEMU_FAILED", `QEMU refused: ${answer.refused}`);
    }
    await resident.look();
    return { agentId, guest: describe(resident) };
  });
}

async function running(
  guestId: string,
  residents: Residents,
): Promise<{ resident: Resident; qmp: Qmp }> {
  const resident = await residents.find(guestId);
  if (resident === undefined) throw new Fault("GUEST_UNKNOWN", `no guest ${guestId} lives here`);
  if (resident.dead || resident.stopping || resident.qmp === undefined) {
    const reason = resident.unreachable ? "GUEST_UNREACHABLE" : "GUEST_NOT_RUNNING";
    throw new Fault(reason, resident.reason || "the guest is starting or stopping");
  }
  return { resident, qmp: resident.qmp };
}

async function write(resident: Resident, paused: boolean, residents: Residents): Promise<void> {
  const record = { ...resident.record, guest: { ...resident.record.guest, paused } };
  await residents.host.store.guests.update(resident.guestId, record);
  resident.record = record;
}
