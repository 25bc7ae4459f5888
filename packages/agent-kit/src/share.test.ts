/* Goal: a budget is never overdrawn, never wasted, and nobody envies anybody. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { share } from "./share.js";

test("evenly, where nobody asked for less", () => {
  assert.deepEqual(share(100, [undefined]), [100]);
  assert.deepEqual(share(100, [undefined, undefined]), [50, 50]);
  assert.deepEqual(share(100, [undefined, undefined, undefined]), [33, 33, 34]);
  assert.deepEqual(share(100, []), []);
});

test("what one leaves, the others have", () => {
  assert.deepEqual(share(100, [10, undefined, undefined]), [10, 45, 45]);
  assert.deepEqual(share(100, [undefined, 80, 20]), [40, 40, 20]);
  assert.deepEqual(share(100, [10, 20]), [10, 20]);
});

test("without a budget everybody gets what was asked for", () => {
  assert.deepEqual(share(undefined, [undefined, 7]), [undefined, 7]);
});

test("for any budget and any wishes", () => {
  const wish = fc.option(fc.integer({ min: 1, max: 10_000 }), { nil: undefined });
  fc.assert(
    fc.property(
      fc.integer({ min: 1_000, max: 100_000 }),
      fc.array(wish, { maxLength: 30 }),
      (budget, asked) => {
        const got = share(budget, asked).map((each) => each ?? Number.NaN);
        const sum = got.reduce((all, each) => all + each, 0);
        assert.ok(sum <= budget, "never overdrawn");
        const more = got.filter((mine, index) => mine > (asked[index] ?? budget));
        assert.deepEqual(more, [], "never more than asked");
        const least = Math.min(...got.filter((mine, index) => mine < (asked[index] ?? budget)));
        // Whoever got less than it asked for got as much as anybody, but for rounding; and nothing is left over.
        assert.ok(Math.max(...got, 0) <= least + asked.length);
        if (Number.isFinite(least)) assert.equal(sum, budget, "never wasted");
      },
    ),
  );
});
