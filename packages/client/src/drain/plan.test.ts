/*
 * Goal: a plan puts every guest where it fits, in an order its operator chose, and says of each guest
 * that stays everything that stands in its way. Method: surveys written by hand; nothing is asked.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Blocker } from "@ferry/contract";
import fc from "fast-check";
import { MOVE_OVERHEAD_MS } from "./forecast.js";
import { claimOf, planDrain, QEMU_OVERHEAD_BYTES } from "./plan.js";
import type { PlanOptions, Survey, SurveyedGuest, SurveyedTarget } from "./words.js";

const GIB = 2 ** 30;
const OPTIONS: PlanOptions = { parallel: 2, order: "largest", except: new Set() };

interface GuestSketch {
  readonly gib?: number;
  readonly state?: string;
  readonly here?: readonly Blocker[];
  readonly there?: Readonly<Record<string, readonly Blocker[]>>;
}

function guest(guestId: string, sketch: GuestSketch = {}): SurveyedGuest {
  const { gib = 1, state = "running", here = [], there = { b: [], c: [] } } = sketch;
  const memoryBytes = gib * GIB;
  return { guestId, state, memoryBytes, here, there: new Map(Object.entries(there)) };
}

/** With room for guests of that much memory, QEMU's own counted in. */
function target(name: string, ...guestsGib: number[]): SurveyedTarget {
  const memoryFreeBytes = guestsGib.reduce((sum, gib) => sum + gib * GIB + QEMU_OVERHEAD_BYTES, 0);
  return { name, memoryFreeBytes, slots: 16, trouble: undefined };
}

function survey(guests: SurveyedGuest[], targets: SurveyedTarget[]): Survey {
  return { from: "a", slots: 16, guests, targets, arriving: 0 };
}

const blocker = (reason: string, subject = "it"): Blocker => ({
  reason,
  subject,
  description: `${reason} of ${subject}`,
});
const placesOf = (plan: ReturnType<typeof planDrain>) =>
  Object.fromEntries(plan.moves.map(({ guestId, to }) => [guestId, to]));

test("guests go where most memory is free, so that the targets fill evenly", () => {
  const plan = planDrain(
    survey([guest("v1", { gib: 2 }), guest("v2"), guest("v3")], [target("b", 5), target("c", 4.5)]),
    OPTIONS,
  );
  assert.deepEqual(placesOf(plan), { v1: "b", v2: "c", v3: "c" });
  assert.deepEqual(
    plan.targets.map(({ name, guests }) => [name, guests]),
    [
      ["b", 1],
      ["c", 2],
    ],
  );
});

test("if evenly leaves one out, they are packed as tightly as they fit", () => {
  // Evenly, the 2 goes to b (6 free), the others to b and c, and 3 fits nowhere any more.
  const guests = [
    guest("v4", { gib: 4 }),
    guest("v3", { gib: 3 }),
    guest("v2", { gib: 2 }),
    guest("v1"),
  ];
  const plan = planDrain(survey(guests, [target("b", 4, 1), target("c", 3, 2)]), OPTIONS);
  assert.equal(plan.left.length, 0, JSON.stringify(plan.left));
  assert.deepEqual(placesOf(plan), { v4: "b", v1: "b", v3: "c", v2: "c" });
});

test("a guest that only one target takes is placed before those that may go anywhere", () => {
  const picky = guest("picky", { there: { b: [blocker("DISK_MISSING")], c: [] } });
  const plan = planDrain(
    survey([guest("any", { gib: 2 }), picky], [target("b", 2), target("c", 2.5)]),
    OPTIONS,
  );
  assert.deepEqual(placesOf(plan), { any: "b", picky: "c" });
});

test("every blocker of both ends is listed, and nothing is planned for that guest", () => {
  const stuck = guest("stuck", { here: [blocker("MIGRATION_BLOCKED"), blocker("NO_SLOT")] });
  const unfit = guest("unfit", {
    there: { b: [blocker("DISK_MISSING", "root"), blocker("NIC_MISSING")], c: [blocker("NO_KVM")] },
  });
  const plan = planDrain(survey([stuck, unfit], [target("b", 8), target("c", 8)]), OPTIONS);
  assert.deepEqual(plan.moves, []);
  const found = plan.left.map(({ guestId, reason, obstacles }) => [
    guestId,
    reason,
    obstacles.map(({ host, blocker: { reason: why } }) => `${host} ${why}`),
  ]);
  assert.deepEqual(found, [
    ["stuck", "blocked", ["a MIGRATION_BLOCKED"]],
    ["unfit", "no-target", ["b DISK_MISSING", "b NIC_MISSING", "c NO_KVM"]],
  ]);
});

test("what passes by itself is planned, and said to have to wait", () => {
  const busy = guest("busy", { here: [blocker("GUEST_BUSY")] });
  const full = guest("full", { there: { b: [blocker("NO_SLOT")], c: [blocker("HOST_UNFIT")] } });
  const starting = guest("new", { state: "starting", here: [blocker("GUEST_NOT_RUNNING")] });
  const plan = planDrain(survey([busy, full, starting], [target("b", 9)]), OPTIONS);
  assert.deepEqual(
    plan.moves.map(({ guestId, waitsFor }) => [guestId, waitsFor?.split(":")[0]]),
    [
      ["busy", "GUEST_BUSY"],
      ["full", "NO_SLOT"],
      ["new", "GUEST_NOT_RUNNING"],
    ],
  );
});

test("a guest that has no room beside the others is told what it wanted, at each target", () => {
  const plan = planDrain(
    survey([guest("big", { gib: 3 }), guest("small")], [target("b", 3), target("c", 0.5)]),
    OPTIONS,
  );
  assert.deepEqual(placesOf(plan), { big: "b" });
  const [left] = plan.left;
  assert.equal(left?.guestId, "small");
  assert.deepEqual(
    left?.obstacles.map(({ host, blocker: { reason } }) => `${host} ${reason}`),
    ["b MEMORY_SHORT", "c MEMORY_SHORT"],
  );
});

test("a target that does not answer takes nobody, and says why", () => {
  const dead = { ...target("b", 99), trouble: "it does not answer" };
  const plan = planDrain(survey([guest("v1", { there: {} })], [dead]), OPTIONS);
  assert.equal(plan.left[0]?.obstacles[0]?.blocker.description, "it does not answer");
});

test("excluded guests stay, whatever stands in their way", () => {
  const all = survey(
    [guest("v1", { here: [blocker("GUEST_UNFIT")] }), guest("v2")],
    [target("b", 9)],
  );
  const plan = planDrain(all, { ...OPTIONS, except: new Set(["v1"]) });
  assert.deepEqual([placesOf(plan), plan.left[0]?.reason], [{ v2: "b" }, "excluded"]);
});

test("order: the largest first, or the smallest; moves at once and the targets' slots make the time", () => {
  const guests = [guest("s", { gib: 1 }), guest("l", { gib: 4 }), guest("m", { gib: 2 })];
  const all = survey(guests, [target("b", 9)]);
  const order = (options: PlanOptions) =>
    planDrain(all, options).moves.map(({ guestId }) => guestId);
  assert.deepEqual(order(OPTIONS), ["l", "m", "s"]);
  assert.deepEqual(order({ ...OPTIONS, order: "smallest" }), ["s", "m", "l"]);

  const rate = GIB; // one second for each GiB, and each copy's share is half of it
  const plan = planDrain(all, { ...OPTIONS, bandwidthBytesPerSecond: 2 * rate });
  const seconds = plan.moves.map(({ startsAtMs, takesMs }) => [
    startsAtMs,
    takesMs - MOVE_OVERHEAD_MS,
  ]);
  const [, m] = plan.moves;
  assert.deepEqual(seconds, [
    [0, 4_000],
    [0, 2_000],
    [m?.takesMs, 1_000],
  ]);
  const narrow = planDrain(survey(guests, [{ ...target("b", 9), slots: 1 }]), OPTIONS);
  assert.equal(
    narrow.takesMs,
    narrow.moves.reduce((sum, { takesMs }) => sum + takesMs, 0),
  );
  assert.equal(planDrain({ ...all, slots: 1 }, OPTIONS).parallel, 1, "the source's limit");
});

test("whatever the guests and targets: nobody is forgotten, and no target is planned fuller than it is", () => {
  const targets = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 4 });
  const guests = fc.array(
    fc.record({ gib: fc.integer({ min: 1, max: 6 }), fits: fc.integer({ min: 0, max: 15 }) }),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(targets, guests, (frees, sketches) => {
      const names = frees.map((_, index) => `t${index}`);
      const all = survey(
        sketches.map(({ gib, fits }, index) => {
          const unfit = [blocker("HOST_UNFIT")];
          const there = names.map((name, bit) => [name, (fits >> bit) & 1 ? [] : unfit] as const);
          return guest(`v${index}`, { gib, there: Object.fromEntries(there) });
        }),
        frees.map((gib, index) => target(names[index] ?? "", gib)),
      );
      const plan = planDrain(all, OPTIONS);
      assert.equal(plan.moves.length + plan.left.length, sketches.length);
      assert.ok(plan.left.every(({ obstacles }) => obstacles.length > 0));
      for (const { name, memoryAfterBytes, guests: count } of plan.targets) {
        assert.ok(memoryAfterBytes >= 0, `${name} is too full`);
        assert.equal(plan.moves.filter(({ to }) => to === name).length, count);
      }
      for (const { guestId, to, memoryBytes } of plan.moves) {
        const asked = all.guests.find((each) => each.guestId === guestId);
        assert.deepEqual(asked?.there.get(to), [], "it fits there");
        assert.ok(claimOf({ memoryBytes }) > 0);
      }
    }),
  );
});
