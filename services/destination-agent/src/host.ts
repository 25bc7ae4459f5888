import type { Config, Logger, Metrics, Traces } from "@ferry/agent-kit";
import type { RunAs } from "@ferry/qemu";
import type { AuditLog } from "@ferry/store";
import type { Arrival } from "./arrival.js";
import type { Ports } from "./ports.js";
import type { DestinationStore } from "./store.js";

/** What every arrival needs of the host it arrives at. */
export interface Host {
  readonly config: Config;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly traces: Traces;
  readonly store: DestinationStore;
  readonly audit: AuditLog;
  readonly ports: Ports;
  /** Where the keeper's script is installed. */
  readonly keeperPath: string;
  /** Whom guests' QEMU runs as; undefined: as we do. */
  readonly runAs: RunAs | undefined;
  /** TLS for a tunnel that only `sourceAgentId` may open. */
  tunnelSecurity(sourceAgentId: string): import("@ferry/tunnel").Security;
  /** An arrival has its verdict: its ports, sockets and files are to be tidied away. */
  settled(arrival: Arrival): void;
}
