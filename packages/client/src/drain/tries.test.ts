import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "../outcome.js";
import { type Failed, nextTry, shun } from "./tries.js";
import { waitingFor } from "./waiting.js";
import type { Ending } from "./words.js";

const REFUSED: Ending = {
  refused: { reason: "GUEST_BUSY", description: "busy", blockers: [], retryAfterMs: 5_000 },
};
const RETURNED = { outcome: { verdict: "returned", next: "" } as unknown as Outcome };
const NOW = 100_000;

function waiting(fits: readonly string[] = ["b", "c"]) {
  const [to = "", ...others] = fits;
  return waitingFor({
    guestId: "web",
    state: "running",
    memoryBytes: 1,
    to,
    others,
    startsAtMs: 0,
    takesMs: 0,
    waitsFor: undefined,
  });
}

function after(failed: Partial<Failed>) {
  const whole = { waiting: waiting(), to: "b", ending: REFUSED, patienceMs: 60_000, now: NOW };
  return nextTry({ advice: "again", ...whole, ...failed });
}

test("a failure is tried again after a pause that doubles, and ends at the fifth", () => {
  const pauses = [0, 1, 2, 3].map((tries) => after({ waiting: { ...waiting(), tries } }));
  assert.deepEqual(
    pauses.map(({ next, tries }) => ["untilMs" in next ? next.untilMs - NOW : next.what, tries]),
    [
      [2_000, 1],
      [4_000, 2],
      [8_000, 3],
      [16_000, 4],
    ],
  );
  const { next, tries } = after({ waiting: { ...waiting(), tries: 4 } });
  assert.deepEqual([next.what, tries], ["enough", 5]);
});

test("what passes is waited for, and is no try, until patience is over", () => {
  const first = after({ advice: "wait" });
  assert.deepEqual(first, {
    next: { what: "wait", untilMs: NOW + 5_000 },
    tries: 0,
    waitsSince: NOW,
  });
  const soon = { ...waiting(), waitsSince: NOW - 55_000 };
  assert.equal(after({ advice: "wait", waiting: soon }).next.what, "wait");
  const late = { ...waiting(), waitsSince: NOW - 55_001 };
  assert.equal(after({ advice: "wait", waiting: late }).next.what, "enough");
});

test("a move that was begun and has to wait says that its target is full; a refusal is the source's", () => {
  assert.equal(after({ advice: "wait", ending: RETURNED }).next.what, "full");
  assert.equal(after({ advice: "wait", ending: REFUSED }).next.what, "wait");
});

test("a failure ends a wait: the next one is measured anew", () => {
  const waited = { ...waiting(), waitsSince: NOW - 1 };
  assert.equal(after({ waiting: waited }).waitsSince, undefined);
});

test("a guest goes elsewhere while there is an elsewhere", () => {
  assert.equal(after({ advice: "elsewhere" }).next.what, "elsewhere");
  assert.equal(after({ advice: "elsewhere", waiting: waiting(["b"]) }).next.what, "enough");
  const refused = { ...waiting(), avoid: new Set(["c"]) };
  assert.equal(after({ advice: "elsewhere", waiting: refused }).next.what, "enough");
});

test("a target in trouble is that target's account, and a try of the guest's", () => {
  assert.deepEqual(after({ advice: "target-down" }), {
    next: { what: "trouble" },
    tries: 1,
    waitsSince: undefined,
  });
});

test("once it has failed everywhere, it may go anywhere again", () => {
  const guest = waiting(["b", "c", "d"]);
  guest.avoid.add("d");
  shun(guest, "b");
  assert.deepEqual([...guest.shunned], ["b"]);
  shun(guest, "c");
  assert.deepEqual([...guest.shunned], []);
});
