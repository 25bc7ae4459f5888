/*
 * One move, and where its time went by the stamps of the two QEMUs. The same numbers are taken of
 * Ferry and of the bare driver.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { type MigrationRun, migrate, type Outcome, type Transport } from "@ferry/client";
import type { TestHost } from "../harness/hosts.js";
import { until } from "../harness/until.js";
import { runDirectories, Stamps } from "./stamps.js";

/** All in milliseconds. */
export interface MoveTimes {
  /** From the first step to the answer of the last. */
  readonly wallMs: number;
  /** QEMU's own migration, `setup` to `completed`. */
  readonly qemuMs: number;
  /** From QEMU's offer to switch over to the order to do it. */
  readonly gateMs: number;
  /** The source is done, the destination runs. */
  readonly handOverMs: number;
  readonly blackoutMs: number;
}

export function timesOf(wallMs: number, source: Stamps, destination: Stamps): MoveTimes {
  return {
    wallMs,
    qemuMs: source.between("setup", "completed"),
    gateMs: source.between("pre-switchover", "device"),
    handOverMs: source.between("completed", "RESUME", destination),
    blackoutMs: source.between("STOP", "RESUME", destination),
  };
}

export interface Watched {
  readonly run: MigrationRun;
  readonly source: Stamps;
  readonly destination: Stamps;
}

export interface MoveOptions {
  readonly guestId: string;
  readonly from: TestHost;
  readonly to: TestHost;
  readonly transport?: Transport;
  readonly bandwidthBytesPerSecond?: number;
  /** Called once QEMU has begun to send; both sides are watched by then. */
  begun?(watched: Watched): void;
}

export interface Move {
  readonly outcome: Outcome;
  readonly source: Stamps;
  readonly destination: Stamps;
  readonly wallMs: number;
}

/** Waits until nothing of the guest is left at its old home, so that it can move back. */
export async function left(guestId: string, home: TestHost): Promise<void> {
  const record = join(home.stateDir, "guests", guestId);
  await until(`${guestId} to be gone from ${home.name}`, () => !existsSync(record));
}

/** Moves a guest with Ferry, watched on both sides. The caller closes the stamps. */
export async function moveWatched(options: MoveOptions): Promise<Move> {
  const { guestId, from, to, begun } = options;
  const { consolePath } = await from.client.guests.get(guestId);
  const source = await Stamps.open(dirname(consolePath));
  const before = new Set(runDirectories(to.runDir));
  const startedAt = performance.now();
  const run = migrate({
    guestId,
    from: from.client,
    to: to.client,
    transport: options.transport,
    bandwidthBytesPerSecond: options.bandwidthBytesPerSecond,
  });
  const failed = run.result.then((outcome) => {
    throw new Error(`${guestId} was not sent: ${JSON.stringify(outcome.why)}`);
  });
  failed.catch(() => {}); // only a migration that ends before it has begun is a failure here
  try {
    // Before `setup` nobody looks at the destination: its start is a part of what is measured.
    await Promise.race([source.until("setup"), failed]);
    const runDir = runDirectories(to.runDir).find((path) => !before.has(path));
    if (runDir === undefined) throw new Error(`no run directory of an arriving ${guestId}`);
    const destination = await Stamps.open(runDir);
    begun?.({ run, source, destination });
    const outcome = await run.result;
    return { outcome, source, destination, wallMs: performance.now() - startedAt };
  } catch (error) {
    source.close();
    throw error;
  }
}

/** Moves a guest with Ferry; it must land. */
export async function moveWithFerry(options: MoveOptions): Promise<MoveTimes> {
  const { outcome, source, destination, wallMs } = await moveWatched(options);
  try {
    if (outcome.verdict !== "landed") {
      throw new Error(`${options.guestId} did not land: ${JSON.stringify(outcome.why)}`);
    }
    await destination.until("RESUME");
    await left(options.guestId, options.from);
    return timesOf(wallMs, source, destination);
  } finally {
    source.close();
    destination.close();
  }
}
