/* For tests: the record of a small guest that names no disk, as a Start writes it. */
import type { GuestRecord } from "@ferry/agent-kit";

export function guestRecord(
  guestId: string,
  runDir: string,
  processes?: GuestRecord["guest"]["processes"],
): GuestRecord {
  return {
    guest: {
      spec: {
        guestId,
        machineType: "pc-q35-7.2",
        cpuModel: "qemu64",
        vcpus: 1,
        memoryBytes: 1 << 28,
        disks: [],
        nics: [],
        boot: { kind: "disk" },
        accelerator: "tcg",
      },
      runDir,
      qemuVersion: "7.2.22",
      accelerator: "tcg",
      cpuProperties: {},
      ...(processes === undefined ? {} : { processes }),
      paused: false,
      since: new Date(0).toISOString(),
    },
  };
}
