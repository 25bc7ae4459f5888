/*
 * Hosts as they are run in earnest: mutual TLS, sockets and consoles on a tmpfs, the state on a disk, and
 * the agents' own defaults.
 */
import { existsSync } from "node:fs";
import { tickerFolder } from "../harness/guests.js";
import { Hosts, type HostsOptions } from "../harness/hosts.js";
import type { Bench } from "./bench.js";

/** The agents' own server keepalive, which the tests make shorter. */
const KEEPALIVE = { timeMs: 2_000, timeoutMs: 8_000 };

/** A tmpfs that every Linux has. */
const MEMORY = "/dev/shm";

/** Starts two hosts; they are gone when the suite is over. */
export function startHosts(bench: Bench, options: HostsOptions = {}): Promise<Hosts> {
  const starting = Hosts.start({
    allowedPaths: [tickerFolder],
    keepalive: KEEPALIVE,
    security: "mtls",
    loopback: true, // where the bare driver sends, too
    runDirOn: existsSync(MEMORY) ? MEMORY : undefined,
    ...options,
  });
  return bench.use(starting, (hosts) => hosts.close());
}
