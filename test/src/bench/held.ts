/* Guests that arrive and are held half-way by a controller, and what it takes until they are gone. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { HostAddress } from "@ferry/client";
import type { Hosts, TestHost } from "../harness/hosts.js";
import { processesMentioning } from "../harness/processes.js";
import { until } from "../harness/until.js";
import type { ControllerOptions, Stage } from "./controller-main.js";
import { residentBytes } from "./memory-of.js";

const PROGRAM = fileURLToPath(new URL("./controller-main.js", import.meta.url));
const STAGE_MS = 60_000;
const GONE_MS = 60_000;
/** How often it is looked whether a process is gone. */
const LOOK_MS = 1;
/** Slow enough that a guest of 200 MiB is still on its way when it is hit. */
const SLOWLY_BYTES_PER_SECOND = 60e6;
/** A guest that is receiving is hit when this much of its memory has arrived, in bytes. */
const RECEIVED_BYTES = 128e6;

export interface HoldOptions {
  /** The guests go from the first to the second. */
  readonly hosts: Hosts;
  readonly guestIds: readonly string[];
  readonly until: Stage;
}

export class Held {
  private constructor(
    readonly controller: ChildProcess,
    /** The arriving QEMUs. */
    readonly pids: readonly number[],
  ) {}

  /** Waits until all are where they shall be hit. */
  static async start(options: HoldOptions): Promise<Held> {
    const { hosts, guestIds } = options;
    const [from, to] = hosts.pair;
    await until("earlier arrivals to be gone", () => arriving(to).length === 0, STAGE_MS);
    const argument: ControllerOptions = {
      from: addressOf(from),
      to: addressOf(to),
      certificates: join(hosts.certificatesDir, "controller"),
      guestIds,
      until: options.until,
      bandwidthBytesPerSecond: options.until === "receiving" ? SLOWLY_BYTES_PER_SECOND : 0,
    };
    const controller = spawn(process.execPath, [PROGRAM, JSON.stringify(argument)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const failed = once(controller, "exit").then(([code]) => {
      throw new Error(`the controller ended with ${code} before its guests were there`);
    });
    failed.catch(() => {}); // it is killed in the end
    try {
      await Promise.race([once(controller.stdout, "data"), failed, late()]);
      const pids = arriving(to);
      if (pids.length !== guestIds.length) {
        throw new Error(`${pids.length} guests arrive instead of ${guestIds.length}`);
      }
      if (options.until === "receiving") {
        const received = () => pids.every((pid) => residentBytes(pid) > RECEIVED_BYTES);
        await until("half of the guest to arrive", received, STAGE_MS);
      }
      return new Held(controller, pids);
    } catch (error) {
      controller.kill("SIGKILL");
      throw error;
    }
  }

  /** Does `hit`, and tells how long after it each guest was gone, reaped, in milliseconds. */
  async goneAfter(hit: () => void): Promise<number[]> {
    const hitAt = performance.now();
    hit();
    return Promise.all(this.pids.map(async (pid) => (await gone(pid)) - hitAt));
  }

  async end(): Promise<void> {
    if (this.controller.exitCode !== null || this.controller.signalCode !== null) return;
    const exited = once(this.controller, "exit");
    this.controller.kill("SIGKILL"); // ends a stopped process, too
    await exited;
  }
}

function addressOf({ name, source, destination }: TestHost): HostAddress {
  return { source: source.options.address, destination: destination.options.address, hostId: name };
}

/** QEMUs that wait for a guest on that host. Nothing may live there: one that has landed looks the same. */
function arriving(host: TestHost): number[] {
  return processesMentioning(`${host.runDir}/`)
    .filter(({ commandLine }) => /^\S*qemu-system\S* .* -incoming /.test(commandLine))
    .map(({ pid }) => pid);
}

/** When the process was reaped. */
async function gone(pid: number): Promise<number> {
  const deadline = performance.now() + GONE_MS;
  while (existsSync(`/proc/${pid}`)) {
    if (performance.now() > deadline) throw new Error(`${pid} is not gone after ${GONE_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return performance.now();
}

function late(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(
      () => reject(new Error(`no guest was there within ${STAGE_MS} ms`)),
      STAGE_MS,
    ).unref();
  });
}
