import { toWireAccelerator, toWireSpec } from "@ferry/agent-kit";
import type { Guest } from "@ferry/contract";
import { consolePath } from "@ferry/qemu";
import type { Resident } from "../resident.js";

/** A guest as its owner tells of it. */
export function describe(resident: Resident): Guest {
  const { guest } = resident.record;
  return {
    guestId: resident.guestId,
    state: resident.state,
    qemuState: resident.qemuState,
    spec: toWireSpec(guest.spec),
    qemuVersion: guest.qemuVersion,
    qemuBinary: guest.qemuBinary ?? "",
    accelerator: toWireAccelerator(guest.accelerator),
    qemuPid: resident.dead ? 0 : (resident.keeper?.qemu.pid ?? 0),
    consolePath: consolePath(guest.runDir),
    migrationId: resident.migrationId,
    since: new Date(guest.since),
    reason: resident.reason,
  };
}
