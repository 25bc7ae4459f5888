/* Goal: a silence is told once when it begins and once when it ends. Method: the clock's look is made by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Vigil } from "./vigil.js";

const NEVER_MS = 1_000_000;

test("each silence is told once, and so is its end", () => {
  let silent = false;
  const told: boolean[] = [];
  const vigil = new Vigil({
    everyMs: NEVER_MS,
    silent: () => silent,
    tell: (each) => told.push(each),
  });
  vigil.look();
  assert.deepEqual([told, vigil.since], [[], undefined]);
  silent = true;
  vigil.look();
  vigil.look();
  assert.deepEqual(told, [true]);
  assert.ok(vigil.since);
  silent = false;
  vigil.look();
  assert.deepEqual([told, vigil.since], [[true, false], undefined]);
  vigil.end();
});
