/*
 * The QEMU of this host, when it comes as a bundle (qemu.bundle): copied to the state directory before
 * anything is run from it, held as long as this agent lives, and older copies removed when nobody
 * needs them any more.
 */
import { join } from "node:path";
import { installQemu, removeUnusedQemus } from "@ferry/qemu";
import type { Config } from "./config.js";
import type { Logger } from "./logs.js";

export interface BundledQemu {
  /** The configuration with `qemu.binary` where QEMU really is. */
  readonly config: Config;
  /** Removes copies that nobody uses. */
  sweep(): Promise<void>;
  release(): void;
}

/**
 * Installs the bundle, if there is one. A host on which that fails still has guests that must be able
 * to leave: so it is logged, and whatever asks the QEMU that is not there says that it cannot be used.
 */
export async function bundledQemu(config: Config, log: Logger): Promise<BundledQemu> {
  const { bundle } = config.qemu;
  if (bundle === undefined) return { config, sweep: async () => {}, release: () => {} };
  const dir = join(config.stateDir, "qemu");
  const { binary, release } = await installQemu(bundle, dir).catch((error: unknown) => {
    log.error({ err: error, bundle }, "QEMU could not be installed: no guest can be started");
    return { binary: join(dir, "not-installed"), release: () => {} };
  });
  log.info({ binary }, "guests run from this QEMU");
  return {
    config: { ...config, qemu: { ...config.qemu, binary } },
    sweep: async () => {
      for (const digest of await removeUnusedQemus(dir)) {
        log.info({ digest }, "a QEMU that nobody uses any more was removed");
      }
    },
    release,
  };
}
