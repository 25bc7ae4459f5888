/*
 * Goal: an upgrade finds every phase that an earlier release wrote. Method: the names that are ever
 * on disk, listed. A name may be added to this list; it is never changed and never taken away.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { destination } from "./destination.js";
import { destinationDurability, sourceDurability } from "./durability.js";
import { source } from "./source.js";

/** `begun` stands in a record before anything was decided about it; so did `preparing` once. */
const AT_THE_SOURCE = [
  "begun",
  "performing",
  "retaking",
  "reclaimed",
  "released",
  "kept",
  "gone",
  "departed",
];
const AT_THE_DESTINATION = [
  "preparing",
  "prepared",
  "landing",
  "relanding",
  "landed",
  "returned",
  "perished",
];

test("every phase that was ever written is a row of the table", () => {
  for (const phase of AT_THE_SOURCE) assert.ok(phase in source, phase);
  for (const phase of AT_THE_DESTINATION) assert.ok(phase in destination, phase);
});

test("every phase that is written is one of those", () => {
  const written = (durability: object) =>
    Object.entries(durability).flatMap(([phase, how]) => (how === "none" ? [] : [phase]));
  for (const phase of written(sourceDurability)) assert.ok(AT_THE_SOURCE.includes(phase), phase);
  for (const phase of written(destinationDurability)) {
    assert.ok(AT_THE_DESTINATION.includes(phase), phase);
  }
});
