/* A well-formed specification for tests, to be spoilt one field at a time. */
import type { GuestDisk, GuestNic, GuestSpec } from "./spec.js";

const MIB = 1024 * 1024;

export function sampleSpec(changes: Partial<GuestSpec> = {}): GuestSpec {
  return {
    guestId: "web-1",
    machineType: "pc-q35-7.2",
    cpuModel: "qemu64",
    vcpus: 1,
    memoryBytes: 32 * MIB,
    disks: [],
    nics: [],
    boot: { kind: "disk" },
    accelerator: "tcg",
    ...changes,
  };
}

export function sampleDisk(changes: Partial<GuestDisk> = {}): GuestDisk {
  return {
    diskId: "root",
    path: "/srv/ferry/root.raw",
    format: "raw",
    readOnly: false,
    ...changes,
  };
}

export function sampleNic(changes: Partial<GuestNic> = {}): GuestNic {
  return { nicId: "lan", mac: "52:54:00:12:34:56", tapName: "", ...changes };
}
