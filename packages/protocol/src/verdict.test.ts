/* Goal: nothing is said that a restart or a power loss could take back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type DestinationPhase,
  destination,
  destinationDurability,
  destinationSettled,
  type SourcePhase,
  source,
  sourceDurability,
  sourceSettled,
  sourceWord,
  verdictOf,
} from "./index.js";

const there = Object.keys(destination) as DestinationPhase[];
const here = Object.keys(source) as SourcePhase[];

test("every verdict is synced before it is told", () => {
  for (const phase of there) {
    if (verdictOf(phase) !== "pending") assert.equal(destinationDurability[phase], "fsync", phase);
  }
});

test("no destination leaves a phase that has a verdict", () => {
  for (const phase of there.filter(destinationSettled)) {
    for (const cell of Object.values(destination[phase]))
      assert.equal(typeof cell, "string", phase);
  }
});

test("`released` is said by the phase that syncs it, and by the one whose QEMU died after it", () => {
  const saying = here.filter((phase) => ["released", "bereft"].includes(sourceWord(phase)));
  assert.deepEqual(saying, ["released", "bereft"]);
  assert.equal(sourceDurability.released, "fsync");
  const into = here.filter((phase) =>
    Object.values(source[phase]).some((it) => it[0] === "bereft"),
  );
  assert.deepEqual(into, ["released"]);
});

test("`recalled` is said only by phases that never lead to a release", () => {
  const open = here.filter((phase) => sourceWord(phase) === "recalled");
  const reached = new Set<string>(open);
  for (const phase of reached) {
    for (const cell of Object.values(source[phase as SourcePhase])) {
      if (typeof cell !== "string") reached.add(cell[0]);
    }
  }
  assert.ok(!reached.has("released"), [...reached].join());
});

test("a settled source has no effect left to do, and no way back into the migration", () => {
  for (const phase of here.filter(sourceSettled)) {
    for (const cell of Object.values(source[phase])) {
      if (typeof cell !== "string") assert.deepEqual(cell, ["gone"]);
    }
  }
});
