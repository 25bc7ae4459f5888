/* Hosts as they are run in earnest: mutual TLS, and the agents' own defaults. */
import { tickerFolder } from "../harness/guests.js";
import { Hosts, type HostsOptions } from "../harness/hosts.js";
import type { Bench } from "./bench.js";

/** The agents' own server keepalive, which the tests make shorter. */
const KEEPALIVE = { timeMs: 2_000, timeoutMs: 8_000 };

/** Starts two hosts; they are gone when the suite is over. */
export function startHosts(bench: Bench, options: HostsOptions = {}): Promise<Hosts> {
  const starting = Hosts.start({
    allowedPaths: [tickerFolder],
    keepalive: KEEPALIVE,
    security: "mtls",
    ...options,
  });
  return bench.use(starting, (hosts) => hosts.close());
}
