/*
 * Goal: a move that came to nothing is tried again exactly where that may help, and a guest about which
 * nobody knows is touched by nobody. Method: every word of the contract, and what is newer than it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FAILURES, REASONS } from "@ferry/contract";
import type { Outcome } from "../outcome.js";
import { type Advice, adviceOn } from "./advice.js";

const outcome = (verdict: Outcome["verdict"], reason = "ABORTED") =>
  adviceOn({ outcome: { verdict, why: { reason, description: "" } } as Outcome });
const refused = (reason: string, retryAfterMs?: number) =>
  adviceOn({ refused: { reason, description: "", blockers: [], retryAfterMs } });

test("a verdict is taken as it is", () => {
  assert.equal(outcome("landed"), "moved");
  assert.equal(outcome("perished"), "person");
  assert.equal(outcome("pending"), "person");
});

test("a guest that is its source's is tried again here, elsewhere, or later", () => {
  const of: Readonly<Record<string, Advice>> = {
    NO_SLOT: "wait",
    HOST_UNFIT: "elsewhere",
    NO_MEMORY: "elsewhere",
    DESTINATION_LOST: "target-down",
    CONNECTION_LOST: "target-down",
    DRAINING: "target-down",
    SWITCHOVER_TIMEOUT: "again",
    QEMU_FAILED: "again",
    NEWER_THAN_THIS: "again",
  };
  const found = Object.keys(of).map((reason) => [reason, outcome("returned", reason)]);
  assert.deepEqual(Object.fromEntries(found), of);
});

test("what the source refuses says nothing of the target", () => {
  const of: Readonly<Record<string, Advice>> = {
    GUEST_UNKNOWN: "gone",
    GUEST_BUSY: "wait",
    NO_SLOT: "wait",
    DRAINING: "wait",
    STARTING: "wait",
    SILENCE: "wait",
    STATE_DIRECTORY_FULL: "wait",
    HOST_EXHAUSTED: "wait",
    GUEST_UNFIT: "leave",
    GUEST_NOT_RUNNING: "leave",
    FORBIDDEN: "leave",
  };
  const found = Object.keys(of).map((reason) => [reason, refused(reason)]);
  assert.deepEqual(Object.fromEntries(found), of);
  assert.equal(refused("NEWER_THAN_THIS"), "leave");
  assert.equal(refused("NEWER_THAN_THIS", 1_000), "wait", "RetryInfo is the contract's own word");
});

test("no word of the contract makes a drain give up a guest that is safe at home, or call it moved", () => {
  for (const reason of [...Object.keys(REASONS), ...Object.keys(FAILURES)]) {
    assert.notEqual(outcome("returned", reason), "moved");
    assert.notEqual(outcome("returned", reason), "person");
  }
});
