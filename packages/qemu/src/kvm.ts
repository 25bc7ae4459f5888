/*
 * Does KVM really run guests here? That /dev/kvm opens proves nothing, and neither does a guest of a
 * few real-mode instructions: there are kernels whose KVM emulates those and goes no further (seen
 * with kvm_pvm, where even SeaBIOS starts and no operating system ever does). So the guest tried here
 * is a tiny firmware that enters long mode, counts to ten million there, which takes a real processor
 * a few milliseconds and an emulated one for ever, and then tells QEMU to exit with a code of its own.
 */
import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child, LENT_FD } from "./scratch.js";

export interface KvmProbe {
  readonly works: boolean;
  /** Why it does not; "a guest ran" if it does. */
  readonly reason: string;
}

/** How long QEMU's start and the guest together may take, in milliseconds. Measured: under 100. */
const PROBE_TIMEOUT_MS = 3_000;
/** isa-debug-exit ends QEMU with (value << 1) | 1; the guest writes 42. */
const GUEST_RAN_CODE = 85;

/** Runs a guest under KVM, with the CPU that guests get by default. Never throws. */
export async function probeKvm(binary: string): Promise<KvmProbe> {
  return probeAccelerator(binary, { accelerator: "kvm", cpuModel: "host" });
}

/** The same guest on any accelerator, so that the guest itself can be shown to work. */
export async function probeAccelerator(
  binary: string,
  {
    accelerator,
    cpuModel,
    timeoutMs = PROBE_TIMEOUT_MS,
  }: {
    readonly accelerator: "kvm" | "tcg";
    readonly cpuModel: string;
    readonly timeoutMs?: number;
  },
): Promise<KvmProbe> {
  let firmware: FileHandle | undefined;
  try {
    firmware = await lendFirmware();
    const args = [
      ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
      ["-machine", "q35", "-accel", accelerator, "-cpu", cpuModel, "-m", "2M"],
      ["-bios", `/proc/self/fd/${LENT_FD}`, "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"],
    ].flat();
    return await run(new Child(binary, args, firmware.fd), timeoutMs);
  } catch (error) {
    return { works: false, reason: error instanceof Error ? error.message : String(error) };
  } finally {
    await firmware?.close();
  }
}

async function run(child: Child, timeoutMs: number): Promise<KvmProbe> {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    void child.reap();
  }, timeoutMs);
  const { code, text } = await child.ended;
  clearTimeout(timer);
  if (code === GUEST_RAN_CODE) return { works: true, reason: "a guest ran" };
  if (!late) return { works: false, reason: text };
  return { works: false, reason: `a tiny guest did not get anywhere within ${timeoutMs} ms` };
}

/** A file without a name: whoever dies while it probes leaves nothing. In a container only /dev/shm may be writable. */
async function lendFirmware(): Promise<FileHandle> {
  const name = `ferry-kvm-${randomUUID()}`;
  return nameless(join(tmpdir(), name)).catch(() => nameless(join("/dev/shm", name)));
}

async function nameless(path: string): Promise<FileHandle> {
  const file = await open(path, "wx+", 0o600);
  try {
    await unlink(path);
    await file.writeFile(probeFirmware());
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

const ROM_BYTES = 64 * 1024;
const CODE_OFFSET = 0xff00;
const RESET_OFFSET = 0xfff0;
const HLT = 0xf4;

/** 64 KiB that the machine maps below 1 MiB (at 0xf0000) and below 4 GiB. */
function probeFirmware(): Buffer {
  const rom = Buffer.alloc(ROM_BYTES, HLT);
  rom.set(CODE, CODE_OFFSET);
  rom.set(hex("ea 00ff 00f0"), RESET_OFFSET); // ljmp 0xf000:0xff00
  return rom;
}

/** Assembled with GNU as; every line says what its bytes mean. */
const CODE = hex(`
  fa                        # cli                         16 bits
  31c0 8ed8                 # xor ax, ax; mov ds, ax
  66c7060010 03200000       # mov dword [0x1000], 0x2003  page map, present and writable
  66c7060020 03300000       # mov dword [0x2000], 0x3003  page directory pointers
  66c7060030 83000000       # mov dword [0x3000], 0x83    one page of 2 MiB, as it is
  2e660f011690ff            # lgdt cs:[0xff90]
  0f20c0 0c01 0f22c0        # cr0 |= PE
  66ea37ff0f000800          # ljmp 8:0xfff37              32 bits
  b820000000 0f22e0         # cr4 = PAE
  b800100000 0f22d8         # cr3 = 0x1000
  b9800000c0 0f32           # rdmsr EFER
  80cc01 0f30               # EFER |= LME
  0f20c0 0d00000080 0f22c0  # cr0 |= PG
  ea65ff0f001000            # ljmp 16:0xfff65             64 bits
  b980969800                # mov ecx, 10000000
  ffc9 75fc                 # dec ecx; jnz
  b02a e6f4                 # out 0xf4, 42                QEMU exits here
  fa f4 ebfd                # cli; hlt; jmp
  6690                      # padding
  0000000000000000          # GDT at 0xfff78: nothing,
  ffff0000009acf00          #   code of 32 bits,
  ffff0000009aaf00          #   code of 64 bits
  1700 78ff0f00             # its length less one, and its address
`);

function hex(listing: string): Buffer {
  return Buffer.from(listing.replaceAll(/#.*|\s/g, ""), "hex");
}
