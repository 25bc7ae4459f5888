import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ConvergenceSample, type ConvergenceSeen, converge } from "./convergence.js";

const GIB = 2 ** 30;

/** Judges a copy told as [second, pass, GiB left], with 1 GiB/s sent unless it is said otherwise. */
function judge(
  told: readonly (readonly [second: number, pass: number, left: number])[],
  more: Partial<ConvergenceSample> = {},
): ConvergenceSeen {
  let seen: ConvergenceSeen | undefined;
  for (const [second, iteration, left] of told) {
    seen = converge(seen, {
      atMs: second * 1000,
      iteration,
      remainingBytes: left * GIB,
      transferredBytes: second * GIB,
      dirtyBytesPerSecond: 0,
      transferBytesPerSecond: GIB,
      ...more,
    });
  }
  assert.ok(seen);
  return seen;
}

test("a long first pass is progress, however long it takes", () => {
  const told = Array.from({ length: 600 }, (_, second) => [second, 1, 600 - second] as const);
  assert.equal(judge(told).convergence, "progressing");
});

test("passes that get shorter are progress", () => {
  const seen = judge([
    [0, 1, 64],
    [60, 2, 32],
    [100, 3, 16],
  ]);
  assert.equal(seen.convergence, "progressing");
  assert.equal(seen.bestRemainingBytes, 16 * GIB);
});

test("one long pass after the best one is waited for", () => {
  const told = [
    [0, 1, 64],
    [60, 2, 32],
    [92, 3, 33],
    [130, 3, 2],
  ] as const;
  assert.equal(judge(told).convergence, "progressing");
});

const stuck = [
  [0, 1, 8],
  [10, 2, 4],
  [20, 3, 4],
  [30, 4, 4],
  [49, 5, 4],
] as const;

test("passes that do not get shorter for 40 s are a plateau, and not a moment before", () => {
  assert.equal(judge(stuck).convergence, "progressing");
  assert.equal(judge([...stuck, [50, 6, 4]]).convergence, "plateau");
});

test("what falls within a pass is not progress", () => {
  const told = [...stuck, [52, 6, 4], [55, 6, 0.1]] as const;
  const seen = judge(told);
  assert.equal(seen.convergence, "plateau");
  assert.equal(seen.bestRemainingBytes, 4 * GIB);
});

test("a guest that dirties as fast as is sent diverges", () => {
  const seen = judge([...stuck, [50, 6, 4]], { dirtyBytesPerSecond: GIB });
  assert.equal(seen.convergence, "diverging");
});

test("a shorter pass ends a plateau", () => {
  assert.equal(judge([...stuck, [50, 6, 4], [60, 7, 2]]).convergence, "progressing");
});

test("nothing sent for 5 s is starved, in whatever pass", () => {
  const still = [
    [0, 1, 8],
    [4, 1, 8],
  ] as const;
  assert.equal(judge(still, { transferredBytes: 1 }).convergence, "progressing");
  assert.equal(judge([...still, [5, 1, 8]], { transferredBytes: 1 }).convergence, "starved");
});

test("the best never grows", () => {
  const sample = fc.record({
    step: fc.integer({ min: 0, max: 20_000 }),
    passes: fc.integer({ min: 0, max: 3 }),
    remainingBytes: fc.integer({ min: 0, max: 1e12 }),
  });
  fc.assert(
    fc.property(fc.array(sample, { minLength: 1 }), (steps) => {
      let seen: ConvergenceSeen | undefined;
      let [atMs, iteration] = [0, 1];
      for (const { step, passes, remainingBytes } of steps) {
        atMs += step;
        iteration += passes;
        const rates = { dirtyBytesPerSecond: 1, transferBytesPerSecond: 2, transferredBytes: atMs };
        const next = converge(seen, { atMs, iteration, remainingBytes, ...rates });
        assert.ok(next.bestRemainingBytes <= (seen?.bestRemainingBytes ?? Infinity));
        seen = next;
      }
    }),
  );
});
