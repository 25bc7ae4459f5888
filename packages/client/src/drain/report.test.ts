/* Goal: a report says whether the host is empty by what lives there, and what to do about everybody who stays. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Ended, reportOf } from "./report.js";
import type { LeftGuest, MovedGuest } from "./words.js";

const moved = (guestId: string, change: Partial<MovedGuest> = {}): MovedGuest => ({
  guestId,
  to: "b",
  migrationId: `m-${guestId}`,
  blackoutMs: 10,
  durationMs: 1_000,
  state: "running",
  tries: 1,
  settled: true,
  ...change,
});
const left = (guestId: string, reason: LeftGuest["reason"]): LeftGuest => ({
  guestId,
  reason,
  description: "",
  obstacles: [],
  migrationId: `m-${guestId}`,
  next: "",
});
const report = (change: Partial<Ended>) =>
  reportOf({
    from: "a",
    moved: [moved("v1"), moved("v2", { blackoutMs: 30 }), moved("v3", { blackoutMs: undefined })],
    left: [],
    gone: [],
    durationMs: 1,
    residents: [],
    arriving: 0,
    early: false,
    ...change,
  });

test("a host is empty if nobody lives there and nobody is on the way", () => {
  const { empty, next, blackoutMaxMs } = report({});
  assert.deepEqual([empty, next, blackoutMaxMs], [true, [], 30]);
  assert.equal(report({ residents: ["v9"] }).empty, false);
  assert.equal(report({ arriving: 1 }).empty, false);
  assert.match(report({ arriving: 1 }).next[0] ?? "", /Drain again: 1 more on their way to a/);
  const silent = report({ residents: undefined });
  assert.equal(silent.empty, false, "silence is not emptiness");
  assert.match(silent.next[0] ?? "", /it did not say/);
});

test("everybody who stays has something to be done about", () => {
  const { next } = report({
    moved: [moved("slow", { settled: false })],
    left: [left("p", "pending"), left("x", "perished"), left("b", "blocked"), left("f", "failed")],
    residents: ["slow", "p", "b", "f"],
  });
  const text = next.join("\n");
  for (const wanted of [
    /ferry resolve m-p/,
    /Decide about x yourself, and start it nowhere/,
    /until it has let slow go/,
    /in the way of b/,
    /why f could not/,
    /Drain again: it goes on/,
  ]) {
    assert.match(text, wanted);
  }
});

test("guests that were to stay are named, and are no reason to drain again", () => {
  const { next, empty } = report({ left: [left("v7", "excluded")], residents: ["v7"] });
  assert.equal(empty, false);
  assert.deepEqual(next, ["v7: on a as you wished, so it is not empty."]);
});

test("a drain that was ended early says how to go on", () => {
  const { next } = report({ early: true, left: [left("v5", "ended")], residents: ["v5"] });
  assert.deepEqual(next, ["Drain again: it goes on where this one stopped."]);
  assert.deepEqual(report({ early: true }).next, [], "it is empty: nothing is left to go on with");
});
