import type { Config, Logger, Metrics, PeerLine, Traces, Transport } from "@ferry/agent-kit";
import type { PeerServiceClient, Verdict, Transport as WireTransport } from "@ferry/contract";
import type { AuditLog } from "@ferry/store";
import type { Security } from "@ferry/tunnel";
import type { Departure } from "./departure.js";
import type { SourceStore } from "./store.js";

/** What every departure needs of the host it leaves. */
export interface Host {
  readonly config: Config;
  readonly agentId: string;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly traces: Traces;
  readonly store: SourceStore;
  readonly audit: AuditLog;
  /** A line to the destination agent's PeerService; its certificate must be that agent's. */
  dialPeer(address: string, agentId: string): PeerLine;
  /** The same on a connection made for this caller alone: proves that one can be made now. */
  dialPeerAnew(address: string, agentId: string): PeerServiceClient;
  /** TLS for a tunnel that only `destinationAgentId` may accept. */
  tunnelSecurity(destinationAgentId: string): Security;
  /** The host part of "host:port". */
  hostOf(address: string): string;
  transportOf(transport: WireTransport): Transport;
  /** The verdict that was heard and is on disk, or unspecified. */
  acknowledgement(departure: Departure): Verdict;
  /** It will send: its limit, in bytes per second; 0: none. */
  joinBandwidth(departure: Departure): Promise<number>;
  /** Nothing more will happen to it: what it leaves behind is to be tidied away. */
  settled(departure: Departure): void;
}
