/*
 * Goal: while a drain is under way no target gets more guests at once, or more memory, than it has, and
 * one in trouble is left alone for longer each time. Method: its account, kept by hand.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Host } from "../host.js";
import { Places, type Seeker } from "./places.js";
import { QEMU_OVERHEAD_BYTES } from "./plan.js";
import type { DrainPlan } from "./words.js";

const GIB = 2 ** 30;

/** Targets with so much free memory after the plan's guests, and one slot each unless told otherwise. */
function places(freeGib: Readonly<Record<string, number>>, slots = 1): Places {
  const names = Object.keys(freeGib);
  const host = {} as Host; // never called here
  const made = new Places(names.map((name) => ({ name, host })));
  const targets = names.map((name) => {
    const memoryAfterBytes = (freeGib[name] ?? 0) * GIB;
    return { name, guests: 0, memoryFreeBytes: 0, memoryAfterBytes, slots, trouble: undefined };
  });
  made.take({ targets } as unknown as DrainPlan); // all of it that is read
  return made;
}

function seeker(to: string, fits: string[], change: Partial<Seeker> = {}): Seeker {
  const memoryBytes = GIB - QEMU_OVERHEAD_BYTES;
  return { memoryBytes, to, fits, avoid: new Set(), shunned: new Set(), ...change };
}

test("a guest goes where its memory is reserved; if it cannot, where most is free", () => {
  const all = places({ b: 0, c: 2, d: 3 });
  const guest = seeker("b", ["b", "c", "d"]);
  assert.equal(all.choose(guest, 0), "b", "its own reservation is room enough");
  all.full("b", 10);
  assert.equal(all.choose(guest, 0), "d");
  assert.equal(all.choose(guest, 10), "b", "only for a while");
});

test("a target has so many slots, and so much memory, over every change of mind", () => {
  const all = places({ b: 0, c: 1 });
  const [one, two] = [seeker("b", ["b", "c"]), seeker("b", ["b", "c"])];
  all.enter(one, "b");
  assert.equal(all.choose(two, 0), "c", "the slot is taken");
  all.enter(two, "c");
  all.leave("c");
  all.leave("b");
  const third = seeker("x", ["c"]);
  assert.equal(all.choose(third, 0), undefined, "c's memory is the second's now");
  assert.equal(all.choose(seeker("x", ["b"]), 0), "b", "and b's is free again");
  all.giveUp(two);
  assert.equal(all.choose(third, 0), "c");
});

test("a target in trouble is left alone, longer each time, until something lands there", () => {
  const all = places({ b: 1 });
  const guest = seeker("b", ["b"]);
  assert.equal(all.trouble("b", 0), 5_000);
  assert.equal(all.trouble("b", 1_000), 4_000, "a second guest's failure is the same trouble");
  assert.equal(all.choose(guest, 4_999), undefined);
  assert.equal(all.coolUntil(guest, 1_000), 5_000);
  assert.equal(all.choose(guest, 5_000), "b");
  assert.equal(all.trouble("b", 5_000), 10_000);
  for (let now = 15_000, times = 0; times < 9; times += 1) now += all.trouble("b", now);
  assert.equal(all.trouble("b", 1e9), 60_000);
  all.well("b");
  assert.equal(all.trouble("b", 2e9), 5_000);
});

test("what refused a guest for good is not asked again, what failed only where there is no other", () => {
  const all = places({ b: 1, c: 1 });
  assert.equal(all.choose(seeker("b", ["b", "c"], { avoid: new Set(["b"]) }), 0), "c");
  assert.equal(all.choose(seeker("b", ["b", "c"], { shunned: new Set(["b"]) }), 0), "c");
  assert.equal(all.choose(seeker("b", ["b"], { avoid: new Set(["b"]) }), 0), undefined);
});
