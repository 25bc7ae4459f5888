/*
 * What a QEMU that would not start lacks on its host, as it says on its standard error. QEMU has no codes for
 * these, only words, so this decides nothing about custody: it only says what to mend, where "QEMU failed,
 * begin again" would have the same guest fail on the same host for ever. Words that are not known stay
 * QEMU's own failure.
 *
 * QEMU 7.2: hw/core/machine.c and softmmu/vl.c (machine types), accel/kvm/kvm-all.c, softmmu/physmem.c
 * (memory), block/file-posix.c (images), hw/i386/x86.c and hw/core/loader.c (kernel, firmware), net/tap.c,
 * target/i386/cpu.c.
 */

/** What is wanting, by the name a blocker has. */
export type LaunchWant =
  | "MACHINE_TYPE_UNKNOWN"
  | "ACCELERATOR_MISSING"
  | "CPU_INCOMPATIBLE"
  | "MEMORY_SHORT"
  | "DISK_MISSING"
  | "KERNEL_MISSING"
  | "NIC_MISSING";

/** In this order: the first that fits. */
const WORDS: readonly (readonly [want: LaunchWant, words: RegExp])[] = [
  ["MACHINE_TYPE_UNKNOWN", /unsupported machine type/],
  ["ACCELERATOR_MISSING", /failed to initialize kvm|access KVM kernel module|requires KVM/i],
  [
    "CPU_INCOMPATIBLE",
    /unable to find CPU model|host doesn't support requested features|phys-bits too low/i,
  ],
  [
    "MEMORY_SHORT",
    /cannot set up guest memory|cannot allocate memory|unable to map backing store/i,
  ],
  [
    "KERNEL_MISSING",
    /could not (open|load) (kernel|initrd|firmware|PC BIOS)|could not load .*(bios|firmware)/i,
  ],
  ["NIC_MISSING", /could not (open|configure) \/dev\/net\/tun/],
  [
    "DISK_MISSING",
    /Could not open '|Failed to get "?(write|consistent read)"? lock|is not in \w+ format/,
  ],
];

/** What QEMU's words ask for; undefined: nothing that is known. */
export function wantedBy(words: string): LaunchWant | undefined {
  return WORDS.find(([, known]) => known.test(words))?.[0];
}
