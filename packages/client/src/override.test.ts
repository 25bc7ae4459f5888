import assert from "node:assert/strict";
import { test } from "node:test";
import { Migration, Role } from "@ferry/contract";
import { planOverride } from "./override.js";
import type { Testimony } from "./resolve.js";

const said = (address: string, migration: Partial<Migration>): Testimony => ({
  address,
  migration: Migration.fromPartial({ migrationId: "m", guestId: "g", ...migration }),
  trouble: undefined,
});
const silent = (address: string): Testimony => ({
  address,
  migration: undefined,
  trouble: "no answer",
});

test("a destination that waits for a source that is gone would land the guest", () => {
  const testimonies = [
    silent("a:7701"),
    said("b:7702", { role: Role.DESTINATION, peerAgentId: "a/source" }),
  ];
  const plan = planOverride(testimonies, "a");
  assert.equal(plan?.what, "land");
  assert.equal(plan?.address, "b:7702");
});

test("a source that waits for a destination that is gone would take the guest back", () => {
  const testimonies = [
    said("a:7701", { role: Role.SOURCE, peerAgentId: "b/destination" }),
    silent("b:7702"),
  ];
  const plan = planOverride(testimonies, "b");
  assert.equal(plan?.what, "take-back");
  assert.equal(plan?.address, "a:7701");
});

test("nobody stands in for a host that nobody waits for", () => {
  const settled = { role: Role.SOURCE, peerAgentId: "b/destination", settled: true };
  assert.equal(planOverride([said("a:7701", settled)], "b"), undefined);
  assert.equal(planOverride([said("a:7701", { ...settled, settled: false })], "c"), undefined);
});
