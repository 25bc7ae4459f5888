/*
 * What the tests of real processes share: a directory of their own, a keeper's script in it, and an
 * end that kills what was launched and fails if any process of the directory is left.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { connect, type Qmp } from "@ferry/qmp";
import type { Keeper } from "./keeper.js";
import { installKeeper } from "./keeper-script.js";
import { launchQemu } from "./launch.js";
import { makeRunDirectory } from "./run-directory.js";

export const QEMU = "/usr/bin/qemu-system-x86_64";
/** A machine of nothing: up in 30 ms. */
export const NO_MACHINE = ["-M", "none", "-accel", "tcg", "-nodefaults", "-display", "none", "-S"];

const BOUND_MS = 20_000;

export interface TestHost {
  readonly dir: string;
  readonly keeperPath: string;
  runDir(name: string): Promise<string>;
  launch(name: string, options?: Partial<Parameters<typeof launchQemu>[0]>): Promise<Keeper>;
  /** A guest with a monitor `qmp` in its run directory, and the monitor. */
  guest(
    name: string,
    argv: readonly string[],
  ): Promise<{ keeper: Keeper; qmp: Qmp; runDir: string }>;
}

export async function testHost(t: TestContext): Promise<TestHost> {
  const dir = await mkdtemp(join(tmpdir(), "ferry-qemu-"));
  const keeperPath = await installKeeper(join(dir, "lib"));
  const launched: Keeper[] = [];
  const monitors: Qmp[] = [];
  // What is launched keeps no process alive, and neither does waiting for its end.
  const awake = setInterval(() => {}, 1_000);
  t.after(async () => {
    clearInterval(awake);
    for (const qmp of monitors) qmp.close();
    await Promise.all(launched.map((keeper) => keeper.kill()));
    for (const keeper of launched) keeper.letGo();
    await until(() => processesOf(dir).length === 0, `no process left: ${processesOf(dir)}`);
    await rm(dir, { recursive: true, force: true });
  });

  const host: TestHost = {
    dir,
    keeperPath,
    async runDir(name) {
      const runDir = join(dir, name);
      await makeRunDirectory(runDir);
      return runDir;
    },
    async launch(name, options = {}) {
      const runDir = options.runDir ?? (await host.runDir(name));
      const keeper = await launchQemu({
        runDir,
        binary: QEMU,
        keeperPath,
        cgroups: [],
        argv: NO_MACHINE,
        ...options,
      });
      launched.push(keeper);
      return keeper;
    },
    async guest(name, argv) {
      const runDir = await host.runDir(name);
      const monitor = ["-qmp", `unix:${join(runDir, "qmp")},server=on,wait=off`];
      const keeper = await host.launch(name, { runDir, argv: [...argv, ...monitor] });
      const qmp = await connect(join(runDir, "qmp"), { timeoutMs: BOUND_MS });
      monitors.push(qmp);
      return { keeper, qmp, runDir };
    },
  };
  return host;
}

/** Waits for a condition, with a bound. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> {
  const deadline = performance.now() + BOUND_MS;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `not within ${BOUND_MS} ms: ${what}`);
    await wait(2);
  }
}

/** Living processes whose command line names the directory, this one aside. */
export function processesOf(dir: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => read(`/proc/${pid}/cmdline`).includes(dir))
    .map(Number);
}

/** True while the process exists and is not a zombie. */
export function alive(pid: number): boolean {
  return /^State:\t[^ZX]/m.test(read(`/proc/${pid}/status`));
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
