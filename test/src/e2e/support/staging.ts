/*
 * Brings a migration into any phase of the destination's table, and holds it there: by withholding the
 * next step, by a narrow link, by a launch that waits, or by news of QEMU that come late, at the one end
 * or the other. Nothing is timed; a phase lasts until somebody acts.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { guestRunDirectory } from "@ferry/agent-kit";
import type { GuestSpec } from "@ferry/contract";
import type { DestinationPhase } from "@ferry/protocol";
import { TestGuest, tickerSpec } from "../../harness/guests.js";
import type { TestHost } from "../../harness/hosts.js";
import { isRunning } from "../../harness/processes.js";
import { until } from "../../harness/until.js";
import { completed, LateMonitor, silentAfter } from "./late-monitor.js";
import type { SlowQemu } from "./slow-qemu.js";
import type { Steps, View } from "./steps.js";

/** The phases a migration can be held in before and after it lands. */
export const STAGED = [
  "preparing",
  "prepared",
  "receiving",
  "receivingOrdered",
  "receivingReleased",
  "receivingDue",
  "loaded",
  "loadedOrdered",
  "loadedReleased",
  "landed",
] as const satisfies readonly DestinationPhase[];

export type StagedPhase = (typeof STAGED)[number];

/**
 * So slow that no copy ends while a test looks, in bytes per second: a staged guest rewrites its memory
 * faster. (QEMU 10 sends 128 KiB each 100 ms, however little it is allowed.)
 */
export const NARROW = 16n * 1024n;

/** In these phases the source's QEMU is done and its agent has yet to hear it. */
export const UNHEARD: ReadonlySet<StagedPhase> = new Set(["loaded", "loadedOrdered"]);
/**
 * In these phases the destination's QEMU is done and its agent has yet to hear it. They last 30 s at
 * most: a guest that was released is not waited for any longer.
 */
const LATE: ReadonlySet<StagedPhase> = new Set(["receivingReleased", "receivingDue"]);

/**
 * A guest for staging: light, since there are many of them, and it never stops checking itself. It
 * rewrites 2.4 MB a second.
 */
export function stagedSpec(guestId: string): GuestSpec {
  return tickerSpec(guestId, { hz: 25, ram: 4, dirty: 24, check: 64, memoryMib: 32 });
}

/** A guest to be staged. One that may go unheard has a late monitor at home. */
export interface Homebody {
  readonly guest: TestGuest;
  readonly monitor: LateMonitor | undefined;
}

/** Starts a guest that can be staged in that phase. */
export async function startFor(
  phase: StagedPhase,
  guestId: string,
  host: TestHost,
  slow: SlowQemu,
): Promise<Homebody> {
  const spec = stagedSpec(guestId);
  if (!UNHEARD.has(phase)) {
    return { guest: await TestGuest.start(host, spec), monitor: undefined };
  }
  slow.setAside(guestId, "source.qmp");
  const path = join(guestRunDirectory(host.runDir, guestId), "source.qmp");
  const [guest, monitor] = await Promise.all([
    TestGuest.start(host, spec),
    LateMonitor.at(path, () => false), // Start waits for it
  ]);
  return { guest, monitor };
}

/** One migration that is being held somewhere. */
export class Staged {
  view: View | undefined;
  monitor: LateMonitor | undefined;
  keeperPid = 0;
  /** The arrival's QEMU, or what is about to become one. */
  qemuPid = 0;

  constructor(
    readonly phase: StagedPhase,
    readonly home: Homebody,
    readonly steps: Steps,
  ) {}

  get guest(): TestGuest {
    return this.home.guest;
  }

  /** Of its keeper and its QEMU, those that run. */
  get running(): number[] {
    return [this.keeperPid, this.qemuPid].filter(isRunning);
  }

  /** The arrival's run directory. */
  get runDir(): string {
    return guestRunDirectory(this.steps.to.runDir, this.steps.migrationId);
  }

  /** Lets go of what holds it. */
  release(slow: SlowQemu): void {
    slow.letStart(this.guest.guestId);
    this.monitor?.release();
    this.home.monitor?.release();
  }

  /** Hangs up. What is held at home stays there for the guest's next migration. */
  close(): void {
    this.view?.leave();
    this.monitor?.close();
  }
}

/** Before Prepare: what the phase needs of the launch. */
export function beforePrepare({ phase, guest }: Staged, slow: SlowQemu): void {
  if (phase === "preparing") slow.holdStart(guest.guestId);
  if (LATE.has(phase)) {
    slow.setAside(guest.guestId, "destination.qmp");
  }
}

/** With Prepare: the launch may need a hand. `prepared` resolves once it is prepared. */
export async function duringPrepare(staged: Staged, prepared: () => Promise<unknown>) {
  const { phase, steps } = staged;
  if (phase === "preparing") {
    await steps.arrivalIn("preparing");
  } else if (LATE.has(phase)) {
    staged.monitor = await LateMonitor.at(join(staged.runDir, "destination.qmp"), completed);
    await prepared();
  } else {
    await prepared();
  }
  const { keeper, qemu } = await until("keeper and QEMU to be there", () =>
    readProcesses(join(staged.runDir, "processes.json")),
  );
  staged.keeperPid = keeper.pid;
  staged.qemuPid = qemu.pid;
}

/** What the agent wrote down of an arrival's processes; undefined while it is not written whole. */
function readProcesses(path: string): Record<"keeper" | "qemu", { pid: number }> | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** After Prepare: Perform, Finish and what else leads to the phase. */
export async function afterPrepare(staged: Staged): Promise<void> {
  const { phase, steps, home } = staged;
  if (phase === "preparing" || phase === "prepared") return;
  const narrow = phase === "receiving" || phase === "receivingOrdered";
  if (UNHEARD.has(phase)) home.monitor?.hold(silentAfter("migrate-continue"));
  staged.view = steps.perform({
    bandwidthBytesPerSecond: narrow ? NARROW : 0n,
    downtimeLimitMs: narrow ? 0 : DOWNTIME_MS,
  });
  await staged.view.bound();
  if (ORDERED.has(phase)) await steps.land();
  await steps.arrivalIn(phase);
}

/** So long that an agent which hears nothing of its QEMU does not take the guest back meanwhile. */
const DOWNTIME_MS = 60_000;

const ORDERED: ReadonlySet<StagedPhase> = new Set([
  "receivingOrdered",
  "receivingDue",
  "loadedOrdered",
  "landed",
]);
