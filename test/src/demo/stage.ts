/*
 * What the demonstration plays on: two hosts with their agents, and one guest that counts. A real Linux
 * where it can be made, the tiny test guest otherwise.
 */
import { copyFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { GuestSpec } from "@ferry/contract";
import { type LinuxGuest, linuxGuest, readLinux } from "../guests/linux.js";
import { readTicker } from "../guests/reading.js";
import { linuxSpec, TestGuest, tickerFolder, tickerSpec } from "../harness/guests.js";
import { Hosts } from "../harness/hosts.js";
import { until } from "../harness/until.js";
import { duration, passing, print } from "./picture.js";

export const GUEST_ID = "demo";

export interface Stage {
  readonly hosts: Hosts;
  readonly guest: TestGuest;
  /** A hosts file for the `ferry` command. */
  readonly hostsFile: string;
  /** The last number the guest counted. Throws if it ever skipped or repeated one. */
  count(): number;
}

interface Kind {
  readonly words: string;
  /** `folder` is the demonstration's own. */
  spec(folder: string): GuestSpec;
  readonly folders: readonly string[];
  count(text: string): number;
}

/** `opening` hears of the hosts as soon as there is something to close. */
export async function setUp(opening: (hosts: Promise<Hosts>) => void): Promise<Stage> {
  const kind = await kindOfGuest();
  const hosts = await timed("Starting the four agents of two hosts", async () => {
    const starting = Hosts.start({
      allowedPaths: kind.folders,
      // Whoever shows this on a busy laptop shall see it all the same.
      config: { timeouts: { meet_stale_ms: 5_000, switchover_margin_ms: 10_000 } },
    });
    opening(starting);
    return starting;
  });
  print(
    hosts.network.kind === "namespaces"
      ? "  (two network namespaces on a bridge of their own)"
      : `  (two addresses of this machine: ${hosts.network.reason})`,
  );
  const hostsFile = join(hosts.dir, "hosts.yaml");
  const addresses = hosts.all.map(({ name, address }) => [
    name,
    { source: `${address}:7701`, destination: `${address}:7702` },
  ]);
  const file = { hosts: Object.fromEntries(addresses), plaintext: true };
  writeFileSync(hostsFile, JSON.stringify(file, null, 2)); // every JSON text is YAML
  const [one] = hosts.pair;
  const guest = await timed(`Booting ${kind.words} on ${one.name}`, async () => {
    const started = await TestGuest.start(one, kind.spec(hosts.dir));
    await until("the guest to count", () => kind.count(started.consoles.text()) >= 10, 60_000);
    return started;
  });
  return { hosts, guest, hostsFile, count: () => kind.count(guest.consoles.text()) };
}

async function kindOfGuest(): Promise<Kind> {
  let linux: LinuxGuest;
  try {
    linux = await timed("Looking for a Linux to boot", linuxGuest);
  } catch (error) {
    print(
      `  none (${error instanceof Error ? error.message : error}): a tiny guest of our own then`,
    );
    const spec = tickerSpec(GUEST_ID, { hz: 20, ram: 48, dirty: 8 });
    const count = (text: string) => readTicker(text).ticks;
    return { words: "a tiny guest that counts", spec: () => spec, folders: [tickerFolder], count };
  }
  return {
    words: "a Linux guest that counts",
    spec: (folder) => linuxSpec(GUEST_ID, { ...linux, initrdPath: ramdiskIn(folder, linux) }),
    folders: [dirname(linux.kernelPath)],
    count: (text) => readLinux(text).count,
  };
}

/** Clones lie in folders of any name, and a ramdisk's path may not have a space. */
function ramdiskIn(folder: string, { initrdPath }: LinuxGuest): string {
  if (!initrdPath.includes(" ")) return initrdPath;
  const copy = join(folder, "initrd");
  copyFileSync(initrdPath, copy);
  return copy;
}

/** Says what is being done, and how long it took. */
async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const from = performance.now();
  passing(`${what} …`);
  const result = await work();
  print(`${what}: ${duration(performance.now() - from)}`);
  return result;
}
