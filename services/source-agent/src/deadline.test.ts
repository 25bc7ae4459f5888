/* Goal: a restarted agent keeps a migration's deadline, whatever somebody did to the clock meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { timeLeft } from "./deadline.js";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** What one of Node's timers takes; with more it fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;
const NOW_MS = Date.parse("2026-03-01T12:00:00.000Z");
const given = {
  deadline: new Date(NOW_MS + 10 * MINUTE_MS).toISOString(),
  timeoutMs: 15 * MINUTE_MS,
};

test("what is left is counted from now, and a deadline that has passed leaves nothing", () => {
  assert.equal(timeLeft(given, NOW_MS), 10 * MINUTE_MS);
  assert.equal(timeLeft(given, NOW_MS + DAY_MS), 0);
});

test("a clock that was set back gives no more than was given once, and never more than a timer takes", () => {
  assert.equal(timeLeft(given, NOW_MS - DAY_MS), 15 * MINUTE_MS);
  assert.equal(timeLeft(given, NOW_MS - 31 * DAY_MS), 15 * MINUTE_MS);
  const older = { deadline: given.deadline };
  assert.equal(timeLeft(older, NOW_MS - MINUTE_MS), 11 * MINUTE_MS);
  assert.ok(timeLeft(older, NOW_MS - 31 * DAY_MS) <= TIMER_MS_MAX);
});
