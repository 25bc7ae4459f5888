/*
 * A guest's specification as QEMU's arguments: one pure function, no shell. Both hosts call it with
 * the same specification, and what the guest can see of it must come out the same on both, for ever:
 * so devices have fixed PCI addresses, CPUs a fixed topology, and network cards no option ROM (its
 * size is part of the migration stream, and it differs from package to package).
 *
 * There is no `-no-shutdown`: a guest that powers itself off ends its QEMU (exit code 0), wherever
 * it is. Kept, it would stay behind as a stopped QEMU that refuses `cont`, which after a landing
 * looks like a guest that never ran.
 */
import { join } from "node:path";
import { consolePath } from "./console.js";
import { type RunAs, runAsArguments } from "./run-as.js";
import type { GuestBoot, GuestDisk, GuestNic, GuestSpec } from "./spec.js";

export interface CommandLineOptions {
  readonly accelerator: "kvm" | "tcg";
  /** Absolute. Monitors and the console live in it. */
  readonly runDir: string;
  /** Names of QMP sockets in the run directory. Each serves one client at a time. */
  readonly monitors: readonly string[];
  /** Waits for `migrate-incoming` instead of booting. */
  readonly incoming: boolean;
  /** Virtual CPUs stand still until `cont`. */
  readonly paused: boolean;
  /** Takes away what QEMU never needs: other processes, other privileges, old system calls. */
  readonly sandbox: boolean;
  /** Whom QEMU becomes once it has opened what it needs; undefined: it stays what we are. */
  readonly runAs?: RunAs | undefined;
}

const KIB = 1024;
const MIB = 1024 * 1024;
/** First slots on the root bus; the lower ones are the chipset's. Part of what the guest sees. */
const DISK_SLOT_FIRST = 0x03;
const NIC_SLOT_FIRST = 0x13;

/** Arguments for QEMU, its own name left out. The specification has passed `checkSpec` and is pinned. */
export function commandLine(spec: GuestSpec, options: CommandLineOptions): string[] {
  if (spec.cpuModel === "")
    throw new Error(`guest ${spec.guestId} has no CPU model: pin one first`);
  const bus = spec.machineType.startsWith("pc-q35-") ? "pcie.0" : "pci.0";
  return [
    ["-nodefaults", "-no-user-config"],
    ["-display", "none"],
    ["-msg", "timestamp=on"],
    ["-name", `guest=${spec.guestId},debug-threads=on`],
    options.sandbox ? ["-sandbox", sandbox(options.runAs !== undefined)] : [],
    options.runAs === undefined ? [] : runAsArguments(options.runAs),
    ["-machine", `type=${spec.machineType},dump-guest-core=off`],
    ["-accel", options.accelerator],
    ["-cpu", spec.cpuModel],
    ["-smp", `cpus=${spec.vcpus},sockets=1,cores=${spec.vcpus},threads=1`],
    ["-m", memorySize(spec.memoryBytes, options.accelerator)],
    ...options.monitors.map((name) => monitor(name, options.runDir)),
    ["-chardev", `file,id=console,path=${doubled(consolePath(options.runDir))},append=on`],
    ["-serial", "chardev:console"],
    ...spec.disks.map((each, index) => disk(each, index, bus)),
    ...spec.nics.map((each, index) => nic(each, index, bus)),
    boot(spec.boot),
    options.incoming ? ["-incoming", "defer"] : [],
    options.paused ? ["-S"] : [],
  ].flat();
}

/**
 * Under TCG a guest gets 8 KiB less than it asks for, so that its memory is no multiple of 256 KiB.
 * For one that is, QEMU gathers dirty pages by a short cut (include/exec/ram_addr.h:
 * cpu_physical_memory_sync_dirty_bitmap) which does not always tell a running virtual CPU that a page
 * counts as clean again: what it writes there next is lost in a copy of several passes. Seen with QEMU
 * 7.2.22 alone, nothing of ours: 3 of about 40 guests hurt; with a size that takes the long way, 0 of 144.
 * KVM keeps its own count, and is not concerned.
 */
function memorySize(bytes: number, accelerator: "kvm" | "tcg"): string {
  return accelerator === "tcg" ? `size=${bytes / KIB - 8}K` : `size=${bytes / MIB}M`;
}

/**
 * The filter is there before QEMU becomes another user, so `elevateprivileges=deny` would kill it (SIGSYS)
 * as it does. What it denies is gone afterwards all the same: no capability is left, and loading the
 * filter sets no_new_privs.
 */
function sandbox(runAs: boolean): string {
  const elevate = runAs ? "allow" : "deny";
  return `on,obsolete=deny,elevateprivileges=${elevate},spawn=deny,resourcecontrol=deny`;
}

function monitor(name: string, runDir: string): string[] {
  const id = `monitor-${name}`;
  return [
    "-chardev",
    `socket,id=${id},path=${doubled(join(runDir, name))},server=on,wait=off`,
    "-mon",
    `chardev=${id},mode=control`,
  ];
}

/**
 * The image's lock is QEMU's own last barrier against two writers. Host page cache is used: QEMU
 * drops it when a destination takes an image over (block/file-posix.c: drop-cache), and O_DIRECT
 * does not work everywhere.
 */
function disk({ diskId, path, format, readOnly }: GuestDisk, index: number, bus: string): string[] {
  const file = {
    driver: "file",
    "node-name": `disk${index}-file`,
    filename: path,
    locking: "on",
    "read-only": readOnly,
  };
  const image = {
    driver: format,
    "node-name": `disk${index}`, // at most 31 characters, so the disk's own name might not fit
    file: file["node-name"],
    "read-only": readOnly,
  };
  const device = {
    driver: "virtio-blk-pci",
    id: `disk-${diskId}`,
    drive: image["node-name"],
    serial: diskId,
    bus,
    addr: slot(DISK_SLOT_FIRST + index),
    bootindex: index + 1,
  };
  return ["-blockdev", json(file), "-blockdev", json(image), "-device", json(device)];
}

/** QEMU finds the tap device made by somebody else; it runs no scripts. */
function nic({ nicId, mac, tapName }: GuestNic, index: number, bus: string): string[] {
  const id = `net-${nicId}`;
  const network =
    tapName === ""
      ? { type: "user", id }
      : { type: "tap", id, ifname: tapName, script: "no", downscript: "no" };
  const device = {
    driver: "virtio-net-pci",
    id: `nic-${nicId}`,
    netdev: id,
    mac,
    bus,
    addr: slot(NIC_SLOT_FIRST + index),
    romfile: "",
  };
  return ["-netdev", json(network), "-device", json(device)];
}

/** Each of these takes its argument whole, whatever is in it. */
function boot(boot: GuestBoot): string[] {
  switch (boot.kind) {
    case "disk":
      return [];
    case "firmware":
      return ["-bios", boot.path];
    case "kernel":
      return [
        ["-kernel", boot.path],
        boot.initrdPath === "" ? [] : ["-initrd", boot.initrdPath],
        boot.commandLine === "" ? [] : ["-append", boot.commandLine],
      ].flat();
  }
}

function slot(number: number): string {
  return `0x${number.toString(16).padStart(2, "0")}`;
}

function json(value: object): string {
  return JSON.stringify(value);
}

/** In QEMU's own option syntax a comma ends a value, unless it is doubled. */
function doubled(value: string): string {
  return value.replaceAll(",", ",,");
}
