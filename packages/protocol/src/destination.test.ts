/*
 * Goal: a guest lands when, and only when, it was ordered, released and loaded. Method: the three
 * are told in all of their orders, and with each of them missing.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type DestinationHeard, type DestinationPhase, destination, hear } from "./index.js";

type Told = readonly DestinationHeard[];

const ORDERS: readonly Told[] = [
  ["ordered", "released", "loaded"],
  ["ordered", "loaded", "released"],
  ["released", "ordered", "loaded"],
  ["released", "loaded", "ordered"],
  ["loaded", "ordered", "released"],
  ["loaded", "released", "ordered"],
];

/** The phase after a guest was prepared and met, and then heard all that. */
function after(told: Told): DestinationPhase {
  let phase: DestinationPhase = "empty";
  for (const heard of ["prepare", "listening", "met", ...told] as const) {
    phase = hear(destination, phase, heard).phase;
  }
  return phase;
}

for (const order of ORDERS) {
  test(`${order.join(", then ")}: the third frees the keeper, and no one before it`, () => {
    const two = order.slice(0, 2);
    assert.match(after(two), /^(receiving|loaded)/);
    const third = hear(destination, after(two), order[2] ?? "loaded");
    assert.deepEqual(third, { answer: "moved", phase: "untying", effects: ["freeKeeper"] });
  });

  test(`${order.join(", then ")}: hearing each of them twice changes nothing`, () => {
    const twice = order.flatMap((heard) => [heard, heard]);
    assert.equal(after(twice), "untying");
  });
}

for (const early of [[], ["ordered"], ["released"], ["ordered", "released"]] as const) {
  test(`bereft after [${early}] lands as soon as the guest has loaded, ordered or not`, () => {
    assert.equal(after([...early, "loaded", "bereft"]), "untying");
    assert.equal(after([...early, "bereft", "loaded"]), "untying");
  });
}

for (const given of ["abandon", "recalled", "cut", "restarted", "keeperGone"] as const) {
  test(`${given} discards whatever has been heard of the three, until the third`, () => {
    for (const order of ORDERS) {
      for (const told of [[], order.slice(0, 1), order.slice(0, 2)]) {
        assert.equal(after([...told, given]), "discarding", told.join());
      }
    }
  });
}

test("an order before the agents have met is refused: the caller repeats it", () => {
  assert.equal(hear(destination, "prepared", "ordered").answer, "refuse");
});

test("an override lands only what has arrived", () => {
  assert.equal(after(["override"]), "receiving");
  assert.equal(after(["released", "override"]), "receivingReleased");
  assert.equal(after(["loaded", "override"]), "untying");
});
