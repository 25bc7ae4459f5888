/* The command itself, as a person runs it: a process with a hosts file. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Running, startFerry } from "@ferry/cli/command-for-tests";
import type { Hosts } from "../../harness/hosts.js";

export type { Ran, Running } from "@ferry/cli/command-for-tests";

/** Writes a hosts file for these hosts, and gives what runs the command with it. */
export function ferryFor(hosts: Hosts): (...args: string[]) => Running {
  const file = join(hosts.dir, "hosts.yaml");
  const addresses = hosts.all.map(({ name, source, destination }) => [
    name,
    { source: source.options.address, destination: destination.options.address },
  ]);
  writeFileSync(file, JSON.stringify({ plaintext: true, hosts: Object.fromEntries(addresses) }));
  return (...args) => startFerry(["--hosts", file, ...args]);
}
