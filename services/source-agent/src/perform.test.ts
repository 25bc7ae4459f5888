/*
 * Goal: whatever a caller asks of the copy can be told to the destination. Method: the handler itself, and
 * a departure that was begun.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Changes } from "@ferry/agent-kit";
import { MeetRequest, PerformRequest } from "@ferry/contract";
import { type PerformOptions, performHandler } from "./perform.js";

test("a caller that names the largest number there is for no limit is understood", async () => {
  const migrationId = "5b6a3f6e-6f6b-4c44-9a0f-3f0f0a5d7c11";
  const departure = {
    migrationId,
    guestId: "g",
    record: { destinationAgentId: "", bandwidthBytesPerSecond: 0 },
    changes: new Changes(),
    phase: "kept",
    failed: true,
    traced() {},
    async hear() {},
  };
  // Nothing else of a departure is touched before it is shown.
  const options = {
    agentId: "host-1/source",
    departures: { live: () => departure },
    residents: {
      turns: { take: (_name: string, work: () => unknown) => work() },
      leases: { end() {} },
    },
  } as unknown as PerformOptions;
  const request = PerformRequest.fromPartial({
    migrationId,
    destinationAddress: "127.0.0.1:1",
    destinationAgentId: "host-2/destination",
    bandwidthBytesPerSecond: 2n ** 64n - 1n,
  });
  const context = { signal: AbortSignal.timeout(10_000), traceparent: undefined };
  for await (const _ of performHandler(options)(request, context as never)) break;
  const { bandwidthBytesPerSecond } = departure.record;
  assert.ok(bandwidthBytesPerSecond > 2 ** 50);
  MeetRequest.encode(
    MeetRequest.fromPartial({ bandwidthBytesPerSecond: BigInt(bandwidthBytesPerSecond) }),
  );
});
