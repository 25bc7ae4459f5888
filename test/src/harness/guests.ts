/*
 * A guest of a test: started through an agent, followed over its moves. Its consoles are collected in
 * the order of its homes, so that whatever a test did to it, the guest itself has the last word.
 */
import { dirname } from "node:path";
import { Accelerator, type Disk, type Guest, type GuestSpec } from "@ferry/contract";
import { Consoles } from "../guests/console.js";
import type { LinuxGuest } from "../guests/linux.js";
import type { Reading } from "../guests/reading.js";
import { type TickerOptions, tickerCommandLine, tickerPath } from "../guests/ticker.js";
import type { TestHost } from "./hosts.js";
import { until } from "./until.js";

const MIB = 1024 * 1024;

/** What guests name must be allowed at every host. */
export const tickerFolder = dirname(tickerPath);

/** A guest of ticker.S's kind: boots at once, and checks itself. */
export function tickerSpec(
  guestId: string,
  options: TickerOptions & { readonly memoryMib?: number; readonly disks?: Disk[] } = {},
): GuestSpec {
  const { memoryMib = 64, disks = [], ...ticker } = options;
  return {
    formatVersion: 1,
    guestId,
    machineType: "q35",
    cpuModel: "",
    vcpus: 1,
    memoryBytes: BigInt(memoryMib * MIB),
    disks,
    nics: [],
    boot: {
      $case: "kernel",
      value: { path: tickerPath, initrdPath: "", commandLine: tickerCommandLine(ticker) },
    },
    accelerator: Accelerator.UNSPECIFIED,
  };
}

/** A real Linux guest. */
export function linuxSpec(guestId: string, guest: LinuxGuest, disks: Disk[] = []): GuestSpec {
  return {
    ...tickerSpec(guestId, { disks }),
    memoryBytes: BigInt(guest.memoryBytes),
    boot: {
      $case: "kernel",
      value: {
        path: guest.kernelPath,
        initrdPath: guest.initrdPath,
        commandLine: guest.commandLine,
      },
    },
  };
}

export class TestGuest {
  readonly consoles = new Consoles();
  #pid = 0;

  private constructor(readonly guestId: string) {}

  static async start(
    host: TestHost,
    spec: GuestSpec,
    options: { readonly paused?: boolean } = {},
  ): Promise<TestGuest> {
    const guest = new TestGuest(spec.guestId);
    guest.#at(await host.client.guests.start(spec, options));
    return guest;
  }

  /** Process id of the QEMU that was seen last. */
  get qemuPid(): number {
    return this.#pid;
  }

  /** The guest lives at that host now: its console there is read from now on. */
  async livesAt(host: TestHost): Promise<Guest> {
    const guest = await host.client.guests.get(this.guestId);
    this.#at(guest);
    return guest;
  }

  /** What its consoles prove. Throws BrokenGuest. */
  read(): Reading {
    return this.consoles.read();
  }

  /** Waits until it ticked on `ticks` times from now. */
  async ticksOn(ticks = 5): Promise<Reading> {
    const from = this.read().ticks;
    return until(`${this.guestId} to tick ${ticks} times`, () => {
      const reading = this.read();
      return reading.ticks >= from + ticks && reading;
    });
  }

  /** Waits until all its memory was checked from here on: the round under way may have begun earlier. */
  async memoryIsWhole(): Promise<Reading> {
    const from = this.read().rounds;
    return until(`${this.guestId} to check all its memory`, () => {
      const reading = this.read();
      return reading.rounds >= from + 2 && reading;
    });
  }

  #at(guest: Guest): void {
    this.#pid = guest.qemuPid;
    this.consoles.add(guest.consolePath);
  }
}
