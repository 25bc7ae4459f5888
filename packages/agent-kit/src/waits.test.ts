import assert from "node:assert/strict";
import { test } from "node:test";
import { waitFor } from "./waits.js";

test("without a deadline the caller's wish counts, and 30 s without a wish", () => {
  assert.equal(waitFor(5_000, Number.POSITIVE_INFINITY), 5_000);
  assert.equal(waitFor(0, Number.POSITIVE_INFINITY), 0);
  assert.equal(waitFor(undefined, Number.POSITIVE_INFINITY), 30_000);
});

test("a wait ends before the deadline, so that the answer can still travel", () => {
  const left = waitFor(60_000, Date.now() + 10_000);
  assert.ok(left > 0 && left < 10_000, `${left}`);
  assert.ok(waitFor(60_000, new Date(Date.now() + 10_000)) < 10_000);
});

test("a deadline that has passed leaves no wait", () => {
  assert.equal(waitFor(60_000, Date.now() - 1_000), 0);
});

test("a wish that is longer than a timer can wait is not taken for none", () => {
  assert.equal(waitFor(2 ** 32 - 1, Number.POSITIVE_INFINITY), 2 ** 31 - 1);
});
