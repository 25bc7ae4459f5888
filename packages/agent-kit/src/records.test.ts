import assert from "node:assert/strict";
import { test } from "node:test";
import { type ArrivalRecord, arrivalRecord, endingRecord, guestRecord } from "./records.js";

const identity = { pid: 4711, startTime: "12345", bootId: "boot" };
const ARRIVED: ArrivalRecord = {
  guest: {
    spec: {
      guestId: "web",
      machineType: "pc-q35-7.2",
      cpuModel: "qemu64",
      vcpus: 1,
      memoryBytes: 1024 * 1024,
      disks: [],
      nics: [],
      boot: { kind: "disk" },
      accelerator: "tcg",
    },
    runDir: "/run/ferry/0123456789abcde",
    qemuVersion: "7.2.22",
    accelerator: "tcg",
    cpuProperties: { aes: "true" },
    processes: { keeper: identity, qemu: identity },
    paused: false,
    since: "2026-01-01T00:00:00.000Z",
  },
  arrival: {
    migrationId: "00000000-0000-4000-8000-000000000001",
    phase: "landing",
    arrival: "18446744073709551615",
    sourceAgentId: "host-1/source",
    transport: "direct",
    startedAt: "2026-01-01T00:00:00.000Z",
  },
};

test("a landed arrival's record is a resident guest's record as it stands: landing only renames", () => {
  assert.deepEqual(guestRecord.parse(JSON.parse(JSON.stringify(ARRIVED))), ARRIVED);
});

test("a guest that was started here has no arrival, and an arriving one must", () => {
  const { guest } = ARRIVED;
  assert.deepEqual(guestRecord.parse({ guest }), { guest });
  assert.throws(() => arrivalRecord.parse({ guest }), /arrival/);
});

test("a CPU's properties are texts, and nothing else is taken for them", () => {
  for (const cpuProperties of [{ aes: true }, ["aes"], "aes", null, undefined]) {
    const guest = { ...ARRIVED.guest, cpuProperties };
    assert.throws(() => guestRecord.parse({ guest }), /cpuProperties.*texts under names/s);
  }
});

test("an arrival's number keeps all of its 64 bits", () => {
  const { arrival } = arrivalRecord.parse(JSON.parse(JSON.stringify(ARRIVED))).arrival;
  assert.equal(BigInt(arrival), 2n ** 64n - 1n);
});

test("an ending is whole before anybody knows how it came about", () => {
  const beforehand = {
    migrationId: ARRIVED.arrival.migrationId,
    guestId: "web",
    phase: "returned",
    peerAgentId: "host-1/source",
    arrival: "1",
    transport: "tunnel",
    startedAt: ARRIVED.arrival.startedAt,
  };
  assert.deepEqual(endingRecord.parse(beforehand), beforehand);
});
