import assert from "node:assert/strict";
import { test } from "node:test";
import { readFault, toStatus } from "@ferry/contract";
import { checkLimits } from "./repeated-limits.js";

const UNSET = { bandwidthBytesPerSecond: 0, downtimeLimitMs: 0, timeoutMs: 0 };
const RECORD = {
  migrationId: "5b6a3f6e-6f6b-4c44-9a0f-3f0f0a5d7c11",
  bandwidthBytesPerSecond: 1_000_000,
  downtimeLimitMs: 300,
  timeoutMs: 60_000,
  deadline: "2026-01-01T00:00:00.000Z",
};

test("a Perform that repeats its limits, or leaves any of them unset, attaches", () => {
  checkLimits(UNSET, RECORD);
  checkLimits(
    { bandwidthBytesPerSecond: 1_000_000, downtimeLimitMs: 300, timeoutMs: 60_000 },
    RECORD,
  );
  checkLimits({ ...UNSET, timeoutMs: 60_000 }, RECORD);
});

test("a Perform with other limits is told which they are", () => {
  for (const [change, field, says] of [
    [
      { bandwidthBytesPerSecond: 2 },
      "bandwidth_bytes_per_second",
      /bandwidth_bytes_per_second is 1000000, not 2/,
    ],
    [{ downtimeLimitMs: 7 }, "downtime_limit_ms", /downtime_limit_ms is 300, not 7/],
    [{ timeoutMs: 59_000 }, "timeout_ms", /timeout_ms is 60000, not 59000/],
  ] as const) {
    assert.throws(
      () => checkLimits({ ...UNSET, ...change }, RECORD),
      (error) => {
        const fault = readFault(toStatus(error));
        assert.equal(fault?.reason, "ID_CONFLICT");
        assert.equal(fault.metadata.fields, field);
        assert.match(fault.message, says);
        return true;
      },
    );
  }
});

test("a limit where none was set is another one", () => {
  const { timeoutMs: _timeout, deadline: _deadline, ...unlimited } = RECORD;
  assert.throws(() => checkLimits({ ...UNSET, timeoutMs: 1 }, unlimited), /timeout_ms is 0, not 1/);
});

test("what an older agent wrote of a deadline cannot be compared, and is let be", () => {
  const { timeoutMs: _, ...older } = RECORD;
  checkLimits({ ...UNSET, timeoutMs: 59_000 }, older);
});
