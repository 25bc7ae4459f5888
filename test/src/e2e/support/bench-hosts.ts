/*
 * Two hosts for tests that hold migrations in odd places: their QEMU is a slow one, and nothing is
 * given up because the machine is busy.
 */
import { tickerFolder } from "../../harness/guests.js";
import { type ConfigSections, Hosts, type HostsOptions } from "../../harness/hosts.js";
import { SlowQemu } from "./slow-qemu.js";

export interface Bench {
  readonly hosts: Hosts;
  readonly slow: SlowQemu;
  /** Closes it in the end, whatever happens before. */
  keep<T extends { close(): void }>(it: T): T;
  close(): Promise<void>;
}

export async function openBench(options: HostsOptions = {}): Promise<Bench> {
  const slow = new SlowQemu();
  const kept: { close(): void }[] = [];
  const { config = {}, allowedPaths = [], ...rest } = options;
  const slowed = (theirs: ConfigSections): ConfigSections => ({
    ...theirs,
    qemu: { binary: slow.binary, ...theirs.qemu },
    timeouts: { drain_ms: 300, lease_ms: 600_000, ...theirs.timeouts },
  });
  try {
    const hosts = await Hosts.start({
      patient: true,
      keepalive: { timeMs: 1_000, timeoutMs: 6_000 },
      allowedPaths: [tickerFolder, ...allowedPaths],
      config: (own) => slowed(typeof config === "function" ? config(own) : config),
      ...rest,
    });
    return {
      hosts,
      slow,
      keep: (it) => {
        kept.push(it);
        return it;
      },
      close: async () => {
        for (const each of kept) each.close();
        await hosts.close();
        slow.remove();
      },
    };
  } catch (error) {
    slow.remove();
    throw error;
  }
}
