import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "../outcome.js";
import { firstOfItsKind, obstaclesOf, wordsOf } from "./texts.js";

const blocker = { reason: "NO_MEMORY", subject: "b", description: "too little" };
const refused = (blockers = [blocker]) => ({
  refused: { reason: "HOST_UNFIT", description: "it cannot", blockers, retryAfterMs: undefined },
});

test("a refusal is told of the host that was asked to let go, a failure of the one that was to take it", () => {
  assert.deepEqual(obstaclesOf(refused(), "a", "b"), [{ host: "a", blocker }]);
  const why = { reason: "HOST_UNFIT", description: "it cannot", blockers: [blocker] };
  const outcome = { verdict: "returned", why, next: "" } as unknown as Outcome;
  assert.deepEqual(obstaclesOf({ outcome }, "a", "b"), [{ host: "b", blocker }]);
});

test("without blockers the refusal itself is what is in the way", () => {
  assert.deepEqual(obstaclesOf(refused([]), "a", "b"), [
    { host: "a", blocker: { reason: "HOST_UNFIT", subject: "b", description: "it cannot" } },
  ]);
});

test("an end that gives no reason is told with what to do next", () => {
  const outcome = { verdict: "returned", next: "Begin again." } as unknown as Outcome;
  const { reason, description } = wordsOf({ outcome });
  assert.deepEqual([reason, description], ["UNKNOWN", "Begin again."]);
});

test("what stood in the way five times is told once, and on each host", () => {
  const here = { host: "a", blocker };
  const there = { host: "b", blocker };
  assert.deepEqual([here, here, there, here].filter(firstOfItsKind), [here, there]);
});
