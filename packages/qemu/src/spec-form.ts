/*
 * Is a specification well formed? It comes from outside and ends as QEMU's arguments: so every word
 * of it has an alphabet, and what lies outside is refused here, before anybody acts on it. Whether
 * its files are there is for `checkPaths`.
 */
import { checkPath } from "./path-form.js";
import type { GuestDisk, GuestNic, GuestSpec } from "./spec.js";

/** Something wrong with a specification. `field` is spelled as on the wire: "disks[0].path". */
export interface SpecProblem {
  readonly field: string;
  readonly description: string;
}

const VCPUS_MAX = 255;
const DISKS_MAX = 16;
const NICS_MAX = 8;
const MEMORY_UNIT_BYTES = 1024 * 1024;
/** Characters of a kernel command line; Linux on x86 takes no more. */
const COMMAND_LINE_LENGTH_MAX = 2048;
const CPU_MODEL_LENGTH_MAX = 1024;

const GUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const MACHINE_TYPE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const DEVICE_ID = /^[A-Za-z][A-Za-z0-9_-]{0,31}$/;
/** A model, then features: "+avx2", "-hle", "vmx=off", "level=0xd", "hv_relaxed". */
const CPU_MODEL =
  /^[A-Za-z0-9][A-Za-z0-9._-]*(,([+-]?[A-Za-z0-9][A-Za-z0-9._-]*|[A-Za-z0-9][A-Za-z0-9._-]*=[A-Za-z0-9._-]+))*$/;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;
/** The kernel's limit is 15 characters (IFNAMSIZ), and "%d" in a name would make a new device. */
const TAP_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** Every problem of form; empty if there is none. */
export function checkSpec(spec: GuestSpec): SpecProblem[] {
  return [
    ...checkMachine(spec),
    ...checkMemory(spec.memoryBytes),
    ...checkDisks(spec.disks),
    ...checkNics(spec.nics),
    ...checkBoot(spec),
  ];
}

function checkMachine({ guestId, machineType, cpuModel, vcpus }: GuestSpec): SpecProblem[] {
  const cpuModelFits =
    cpuModel === "" || (cpuModel.length <= CPU_MODEL_LENGTH_MAX && CPU_MODEL.test(cpuModel));
  return [
    ...wanted(
      GUEST_ID.test(guestId),
      "guest_id",
      "1 to 64 characters of A-Z a-z 0-9 . _ - are wanted, beginning with a letter or a digit",
    ),
    ...wanted(
      MACHINE_TYPE.test(machineType),
      "machine_type",
      'the name of a QEMU machine type is wanted, such as "pc-q35-7.2"',
    ),
    ...wanted(
      cpuModelFits,
      "cpu_model",
      'a QEMU CPU model is wanted, with features if need be: "qemu64", "Skylake-Client,-hle,vmx=off"',
    ),
    ...wanted(
      Number.isInteger(vcpus) && vcpus >= 1 && vcpus <= VCPUS_MAX,
      "vcpus",
      `1 to ${VCPUS_MAX} are wanted`,
    ),
  ];
}

function checkMemory(memoryBytes: number): SpecProblem[] {
  return wanted(
    Number.isSafeInteger(memoryBytes) &&
      memoryBytes >= MEMORY_UNIT_BYTES &&
      memoryBytes % MEMORY_UNIT_BYTES === 0,
    "memory_bytes",
    "a multiple of 1 MiB (1048576) is wanted, at least 1 MiB",
  );
}

function checkDisks(disks: readonly GuestDisk[]): SpecProblem[] {
  if (disks.length > DISKS_MAX) return tooMany("disks", DISKS_MAX);
  const problems = [
    ...repeated(
      disks.map(({ diskId }) => diskId),
      "disks",
      "disk_id",
    ),
    ...repeated(
      disks.map(({ path }) => path),
      "disks",
      "path",
    ),
  ];
  for (const [index, { diskId, path, format }] of disks.entries()) {
    const field = `disks[${index}]`;
    problems.push(
      ...wanted(DEVICE_ID.test(diskId), `${field}.disk_id`, DEVICE_ID_WANTED),
      ...checkPath(path, `${field}.path`),
      ...wanted(
        format === "raw" || format === "qcow2",
        `${field}.format`,
        "raw or qcow2 is wanted",
      ),
    );
  }
  return problems;
}

function checkNics(nics: readonly GuestNic[]): SpecProblem[] {
  if (nics.length > NICS_MAX) return tooMany("nics", NICS_MAX);
  const problems = [
    ...repeated(
      nics.map(({ nicId }) => nicId),
      "nics",
      "nic_id",
    ),
    ...repeated(
      nics.map(({ mac }) => mac.toLowerCase()),
      "nics",
      "mac",
    ),
    ...repeated(
      nics.map(({ tapName }) => tapName),
      "nics",
      "tap_name",
    ),
  ];
  for (const [index, { nicId, mac, tapName }] of nics.entries()) {
    const field = `nics[${index}]`;
    problems.push(
      ...wanted(DEVICE_ID.test(nicId), `${field}.nic_id`, DEVICE_ID_WANTED),
      ...wanted(
        MAC.test(mac) && isUnicast(mac),
        `${field}.mac`,
        'the address of one interface is wanted, such as "52:54:00:12:34:56"',
      ),
      ...wanted(
        tapName === "" || TAP_NAME.test(tapName),
        `${field}.tap_name`,
        "the name of a tap device is wanted: up to 15 of A-Z a-z 0-9 . _ -, or nothing",
      ),
    );
  }
  return problems;
}

const DEVICE_ID_WANTED = "1 to 32 of A-Z a-z 0-9 _ - are wanted, beginning with a letter";

function checkBoot({ boot }: GuestSpec): SpecProblem[] {
  switch (boot.kind) {
    case "disk":
      return [];
    case "firmware":
      return checkPath(boot.path, "firmware.path");
    case "kernel":
      return [
        ...checkPath(boot.path, "kernel.path"),
        ...(boot.initrdPath === "" ? [] : checkPath(boot.initrdPath, "kernel.initrd_path")),
        // QEMU's multiboot loader takes "file argument" here: what follows a space is not the path.
        ...wanted(
          !boot.initrdPath.includes(" "),
          "kernel.initrd_path",
          "a space is not taken here",
        ),
        ...wanted(
          boot.commandLine.length <= COMMAND_LINE_LENGTH_MAX && !CONTROL.test(boot.commandLine),
          "kernel.command_line",
          `at most ${COMMAND_LINE_LENGTH_MAX} characters are taken, and no control characters`,
        ),
      ];
  }
}

/** The lowest bit of the first byte marks a group address; all zeros is nobody's. */
function isUnicast(mac: string): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0 && /[1-9a-f]/i.test(mac);
}

function wanted(holds: boolean, field: string, description: string): SpecProblem[] {
  return holds ? [] : [{ field, description }];
}

/** The list is not looked through: of the 100,000 entries that fit in a message that takes minutes. */
function tooMany(list: string, entriesMax: number): SpecProblem[] {
  return [{ field: list, description: `at most ${entriesMax} are taken` }];
}

/** Names that occur twice. Empty ones stand for "none" and may. */
function repeated(names: readonly string[], list: string, key: string): SpecProblem[] {
  return names.flatMap((name, index) => {
    const first = names.indexOf(name);
    if (name === "" || first === index) return [];
    return [{ field: `${list}[${index}].${key}`, description: `the same as ${list}[${first}]` }];
  });
}
