/*
 * Goal: what is shown of a copy never runs backwards and never promises what cannot be. Method:
 * arbitrary sequences of what QEMU may say, from a printed seed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Outgoing, OutgoingState } from "./outgoing-look.js";
import { ProgressMeter } from "./progress.js";

const STATES: OutgoingState[] = [
  "none",
  "setup",
  "active",
  "gate",
  "device",
  "cancelling",
  "unknown",
];

const bytes = fc.oneof(fc.constant(0), fc.nat({ max: 2 ** 31 }));

const outgoing: fc.Arbitrary<Outgoing> = fc.record({
  state: fc.constantFrom(...STATES, "completed"),
  status: fc.constant(""),
  transferredBytes: bytes,
  remainingBytes: bytes,
  totalBytes: bytes,
  iteration: fc.nat({ max: 100 }),
  dirtyBytesPerSecond: bytes,
  transferBytesPerSecond: bytes,
  downtimeMs: fc.nat(),
  expectedDowntimeMs: fc.nat(),
  errorDescription: fc.constant(""),
});

test("the ratio stays in its bounds, never runs backwards, and is 1 only when all is done", () => {
  fc.assert(
    fc.property(fc.array(outgoing, { minLength: 1 }), (story) => {
      const meter = new ProgressMeter();
      let before = 0;
      let completed = false;
      for (const seen of story) {
        completed ||= seen.state === "completed";
        const { ratio, etaMs } = meter.measure(seen);
        assert.ok(ratio >= before && ratio >= 0 && ratio <= 1);
        assert.equal(ratio === 1, completed);
        assert.ok(etaMs === undefined || (Number.isFinite(etaMs) && etaMs >= 0));
        before = ratio;
      }
    }),
  );
});

test("a guest that dirties memory as fast as it is sent has no end in sight", () => {
  const seen = { ...SEEN, transferBytesPerSecond: 100, dirtyBytesPerSecond: 100 };
  assert.equal(new ProgressMeter().measure(seen).etaMs, undefined);
  assert.equal(new ProgressMeter().measure({ ...seen, dirtyBytesPerSecond: 50 }).etaMs, 10_000);
});

const SEEN: Outgoing = {
  state: "active",
  status: "active",
  transferredBytes: 500,
  remainingBytes: 500,
  totalBytes: 1000,
  iteration: 1,
  dirtyBytesPerSecond: 0,
  transferBytesPerSecond: 0,
  downtimeMs: 0,
  expectedDowntimeMs: 0,
  errorDescription: "",
};
