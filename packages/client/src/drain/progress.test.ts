import assert from "node:assert/strict";
import { test } from "node:test";
import { progressOf, type Standing } from "./progress.js";
import { activeFor, waitingFor } from "./waiting.js";

const guest = (guestId: string, memoryBytes: number, takesMs: number) =>
  waitingFor({
    guestId,
    state: "running",
    memoryBytes,
    to: "b",
    others: [],
    startsAtMs: 0,
    takesMs,
    waitsFor: undefined,
  });

const NOTHING: Standing = {
  active: [],
  waiting: [],
  moved: 0,
  movedBytes: 0,
  left: 0,
  parallel: 1,
  slots: new Map([["b", 4]]),
  factor: 1,
  state: "running",
  told: 0,
};

test("a drain of nothing is done", () => {
  const { ratio, etaMs, guests } = progressOf(NOTHING);
  assert.deepEqual([ratio, etaMs, guests], [1, 0, 0]);
});

test("progress is memory that has moved, that of copies under way included", () => {
  const half = { ...activeFor(guest("one", 200, 1_000), "b"), ratio: 0.5, phase: "performing" };
  const now = progressOf({
    ...NOTHING,
    active: [half],
    waiting: [guest("two", 100, 400)],
    moved: 1,
    movedBytes: 100,
    left: 1,
  });
  assert.equal(now.ratio, 0.5); // 100 moved and 100 copied, of 400; what is left is not waited for
  assert.deepEqual([now.guests, now.moved, now.waiting, now.left], [4, 1, 1, 1]);
  assert.deepEqual(
    now.moving.map(({ guestId, to, ratio }) => [guestId, to, ratio]),
    [["one", "b", 0.5]],
  );
});

test("the time that is left learns from what moves took, and counts what moves at once", () => {
  const waiting = [guest("one", 1, 1_000), guest("two", 1, 1_000)];
  assert.equal(progressOf({ ...NOTHING, waiting }).etaMs, 2_000);
  assert.equal(progressOf({ ...NOTHING, waiting, factor: 1.5 }).etaMs, 3_000);
  assert.equal(progressOf({ ...NOTHING, waiting, parallel: 2 }).etaMs, 1_000);
  const one = new Map([["b", 1]]);
  assert.equal(progressOf({ ...NOTHING, waiting, parallel: 2, slots: one }).etaMs, 2_000);
});

test("progress never falls, also when a copy begins anew", () => {
  const again = activeFor(guest("one", 200, 1_000), "b");
  assert.equal(progressOf({ ...NOTHING, active: [again], told: 0.4 }).ratio, 0.4);
});
