/* The QEMU of this host, as it described itself when the agent started. */
import { chmod } from "node:fs/promises";
import { Accelerator, Fault, type QemuBuild } from "@ferry/contract";
import {
  expandCpuOnHost,
  findUser,
  probeKvm,
  probeQemu,
  type QemuProbe,
  type RunAs,
} from "@ferry/qemu";
import type { Config } from "./config.js";
import { type KvmSeen, KvmStanding } from "./kvm-standing.js";
import { toWireAccelerator } from "./wire.js";

/** CPU models come from callers: no more than these are remembered. */
const EXPANSIONS_MAX = 256;

export interface QemuHere {
  readonly build: QemuProbe;
  /** Whether KVM runs guests, as it was tried last. */
  readonly kvm: KvmSeen;
  /** The same, tried anew if that was long ago and a "no". */
  kvmNow(): Promise<KvmSeen>;
  /** What guests get that leave the choice to us. */
  readonly accelerator: "kvm" | "tcg";
  /** Whom guests' QEMU runs as; undefined: as we do. */
  readonly runAs: RunAs | undefined;
  /** QEMU's expansion of a CPU model here. Asked once per machine type and model. */
  cpuProperties(
    machineType: string,
    cpuModel: string,
    accelerator: "kvm" | "tcg",
  ): Promise<Record<string, string>>;
}

/**
 * The same once `now` was called, with its error as callers are told it: at a start, guests may stand
 * still until what was under way is found again, and QEMU is not asked before.
 */
export function lookAtQemuLater(config: Config): {
  readonly qemu: Promise<QemuHere>;
  readonly now: () => void;
} {
  let now: () => void = () => {};
  const asked = new Promise<void>((resolve) => {
    now = resolve;
  });
  const qemu = asked.then(() =>
    lookAtQemu(config).catch((error: unknown) => {
      const text = error instanceof Error ? error.message : String(error);
      throw new Fault("QEMU_FAILED", `this host's QEMU cannot be used: ${text}`);
    }),
  );
  return { qemu, now };
}

/** Asks QEMU what it is, and tries whether KVM really runs a guest. */
export async function lookAtQemu(config: Config): Promise<QemuHere> {
  const { binary } = config.qemu;
  const user = config.qemu.user === undefined ? undefined : await findUser(config.qemu.user);
  if (user !== undefined) await chmod(config.runDir, 0o711); // it goes through to its own directory
  const [build, kvm] = await Promise.all([
    probeQemu(binary),
    config.qemu.accelerator === "tcg"
      ? { works: false, reason: "the configuration says tcg" }
      : probeKvm(binary),
  ]);
  if (config.qemu.accelerator === "kvm" && !kvm.works) {
    throw new Error(`qemu.accelerator is kvm, but KVM does not work here: ${kvm.reason}`);
  }
  const standing = new KvmStanding(
    kvm,
    config.qemu.accelerator === "tcg" ? undefined : () => probeKvm(binary),
  );
  const expansions = new Map<string, Promise<Record<string, string>>>();
  return {
    build,
    get kvm() {
      return standing.seen;
    },
    kvmNow: () => standing.current(),
    get accelerator() {
      return standing.seen.works ? "kvm" : "tcg";
    },
    runAs: user && { user, version: build.version },
    cpuProperties: (machineType, cpuModel, accelerator) => {
      const name = `${machineType} ${accelerator} ${cpuModel}`;
      const known = expansions.get(name);
      if (known !== undefined) return known;
      const expansion = expandCpuOnHost(binary, { machineType, cpuModel, accelerator });
      const [oldest] = expansions.keys();
      if (oldest !== undefined && expansions.size >= EXPANSIONS_MAX) expansions.delete(oldest);
      expansions.set(name, expansion);
      expansion.catch(() => expansions.delete(name)); // a QEMU that failed once is asked again
      return expansion;
    },
  };
}

export function toWireBuild(binary: string, qemu: QemuHere): QemuBuild {
  const { works, reason, at } = qemu.kvm;
  return {
    binary,
    version: qemu.build.version,
    accelerator: toWireAccelerator(qemu.accelerator) || Accelerator.TCG,
    acceleratorReason: `${works ? "KVM ran a guest" : `no KVM: ${reason}`} (tried at ${at.toISOString()})`,
    machineTypes: [...qemu.build.machineTypes],
    machineAliases: { ...qemu.build.machineAliases },
    migrationCapabilities: [...qemu.build.migrationCapabilities],
  };
}
