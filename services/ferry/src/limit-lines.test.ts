import assert from "node:assert/strict";
import { test } from "node:test";
import { Limits } from "@ferry/contract";
import { limitLines } from "./limit-lines.js";

const BOTH = {
  keepaliveTimeMs: 2_000,
  keepaliveTimeoutMs: 8_000,
  messageBytesMax: 4_194_304,
  guestsMax: 1_024,
  endingsMax: 100_000,
  connectionsMax: 512,
  streamsMax: 256,
};

test("a source's limits, one line for each question", () => {
  const limits = Limits.fromPartial({
    ...BOTH,
    departuresMax: 16,
    departuresPerCallerMax: 4,
    bandwidthBytesPerSecond: 104_857_600n,
    leaseMs: 60_000,
    timeoutMaxMs: 2_073_600_000,
  });
  assert.deepEqual(limitLines(limits), [
    "at once    16 guests leaving, 4 of one caller; 1024 guests on the host",
    "bandwidth  100 MiB/s for all guests that leave",
    "calls      512 connections; 256 calls on each; messages of up to 4 MiB",
    "times      a vanished caller is noticed within 10.0 s; a lease lasts 1 min 0 s; a migration's time limit is at most 576 h",
    "kept       100000 ended migrations",
  ]);
});

test("a destination's limits", () => {
  const limits = Limits.fromPartial({
    ...BOTH,
    arrivalsMax: 8,
    arrivalsPerCallerMax: 8,
    probesMax: 4,
    memoryAvailableBytes: 12n * 2n ** 30n,
    memoryReserveBytes: 2n ** 30n,
    portFirst: 49_152,
    portLast: 49_215,
  });
  assert.deepEqual(limitLines(limits).slice(0, 4), [
    "at once    8 guests arriving, 8 of one caller; 1024 guests on the host; 4 paths probed",
    "bandwidth  no limit",
    "memory     12 GiB for arriving guests; 1 GiB kept free of them",
    "ports      49152 to 49215",
  ]);
});

test("a destination without memory left says so", () => {
  const limits = Limits.fromPartial({
    ...BOTH,
    arrivalsMax: 8,
    portFirst: 49_152,
    portLast: 49_215,
  });
  assert.ok(limitLines(limits).includes("memory     0 B for arriving guests"));
});

test("what an agent of an earlier release does not tell is not made up", () => {
  const limits = Limits.fromPartial({ departuresMax: 16, keepaliveTimeMs: 1_000, leaseMs: 60_000 });
  assert.deepEqual(limitLines(limits), [
    "at once    16 guests leaving",
    "times      a vanished caller is noticed within 1.0 s; a lease lasts 1 min 0 s",
  ]);
});
