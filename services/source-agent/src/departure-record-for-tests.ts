/* For tests: the record of a guest that is on its way from here to host-2. */
import type { DepartureRecord } from "@ferry/agent-kit";

export function departureRecord(changes: Partial<DepartureRecord> = {}): DepartureRecord {
  return {
    migrationId: "5b6a3f6e-6f6b-4c44-9a0f-3f0f0a5d7c11",
    guestId: "g",
    phase: "performing",
    reason: "",
    arrival: "7",
    destinationAddress: "127.0.0.1:1",
    destinationAgentId: "host-2/destination",
    transport: "direct",
    downtimeLimitMs: 300,
    bandwidthBytesPerSecond: 0,
    paused: false,
    before: "",
    startedAt: new Date(0).toISOString(),
    ...changes,
  };
}
