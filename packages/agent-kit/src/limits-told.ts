/*
 * An agent's limits, as GetInfo tells them: what a controller keeps to without being turned away first. Each is told by
 * the agent that keeps it; a test holds them to the configuration's keys. Pure.
 */
import { Limits, TIMEOUT_MAX_MS } from "@ferry/contract";
import type { AgentRole, Config } from "./config.js";

/** All but `memoryAvailableBytes`, which has to be measured. */
export function limitsTold(
  config: Pick<Config, "limits" | "migration" | "keepalive" | "timeouts">,
  role: AgentRole,
): Limits {
  const { limits, migration, keepalive, timeouts } = config;
  return Limits.fromPartial({
    keepaliveTimeMs: keepalive.timeMs,
    keepaliveTimeoutMs: keepalive.timeoutMs,
    messageBytesMax: limits.messageBytesMax,
    guestsMax: limits.guestsMax,
    endingsMax: limits.endingsMax,
    connectionsMax: limits.connectionsMax,
    streamsMax: limits.streamsMax,
    ...(role === "source"
      ? {
          departuresMax: limits.departuresMax,
          departuresPerCallerMax: limits.departuresPerCallerMax,
          bandwidthBytesPerSecond: BigInt(limits.bandwidthBytesPerSecond ?? 0),
          leaseMs: timeouts.leaseMs,
          timeoutMaxMs: TIMEOUT_MAX_MS,
        }
      : {
          arrivalsMax: limits.arrivalsMax,
          arrivalsPerCallerMax: limits.arrivalsPerCallerMax,
          probesMax: limits.probesMax,
          incomingBandwidthBytesPerSecond: BigInt(limits.incomingBandwidthBytesPerSecond ?? 0),
          memoryReserveBytes: BigInt(limits.memoryReserveBytes),
          portFirst: migration.portFirst,
          portLast: migration.portLast,
        }),
  });
}
