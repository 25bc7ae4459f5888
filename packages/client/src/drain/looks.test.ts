import assert from "node:assert/strict";
import { test } from "node:test";
import { changesOnly, worthWaiting } from "./looks.js";
import type { LeftGuest, PlannedTarget } from "./words.js";

type Plan = Parameters<typeof worthWaiting>[0];
const PLAN: Plan = { from: "a", arriving: 0, left: [], targets: [] };
const silent: Plan["targets"] = [{ name: "b", trouble: "it does not answer" } as PlannedTarget];
const left = (reason: LeftGuest["reason"]): Plan["left"] => [
  { guestId: "web", reason, description: "", obstacles: [], migrationId: undefined, next: "" },
];
const after = (idleMs: number) => ({ idleMs, patienceMs: 60_000 });

test("nobody waits when nothing more can come of it", () => {
  assert.equal(worthWaiting(PLAN, after(0)), undefined);
  assert.equal(
    worthWaiting({ ...PLAN, left: left("blocked"), targets: silent }, after(0)),
    undefined,
  );
  assert.equal(worthWaiting({ ...PLAN, targets: silent }, after(0)), undefined);
});

test("guests on their way are waited for, as long as patience lasts", () => {
  const plan = { ...PLAN, arriving: 2 };
  assert.match(worthWaiting(plan, after(59_999)) ?? "", /^2 guests are on their way to a$/);
  assert.equal(worthWaiting(plan, after(60_000)), undefined);
});

test("a guest that nobody takes waits half a minute for a target that is silent", () => {
  const plan = { ...PLAN, left: left("no-target"), targets: silent };
  assert.equal(worthWaiting(plan, after(29_999)), "b: it does not answer");
  assert.equal(worthWaiting(plan, after(30_000)), undefined);
});

test("what many looks see alike is told once, and again when it has changed meanwhile", () => {
  const told: string[] = [];
  const tell = changesOnly((message) => told.push(message));
  for (const message of ["a", "a", "b", "b", "a"]) tell(message);
  assert.deepEqual(told, ["a", "b", "a"]);
});
