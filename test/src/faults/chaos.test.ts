/*
 * Goal: whatever breaks, two copies never run and the guest has one home in the end, or somebody was told.
 * Method: a few migrations drawn from a fixed seed, with real QEMUs; `npm run chaos` runs as many as asked.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { draw, runDraw } from "./chaos.js";
import { INSTANT_IDS } from "./instants.js";
import { testStage } from "./test-stage.js";

const SEED = 1;
const MIGRATIONS = 8;

const { skip, stage } = testStage();

for (let number = 1; number <= MIGRATIONS; number += 1) {
  const drawn = draw(SEED, number);
  test(`${drawn.faults.join(" + ")} at ${drawn.instant}, ${drawn.transport}`, {
    skip,
  }, async () => {
    const { why, story } = await runDraw(stage(), drawn);
    assert.deepEqual(why, [], story.join("\n"));
  });
}

test("a draw is the same every time, and draws differ", () => {
  assert.deepEqual(draw(7, 3), draw(7, 3));
  const instants = new Set(Array.from({ length: 200 }, (_, number) => draw(7, number).instant));
  assert.equal(instants.size, INSTANT_IDS.length);
});
