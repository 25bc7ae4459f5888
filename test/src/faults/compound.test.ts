/*
 * Goal: a source that took its guest back and could not write that down must not, after a crash, give
 * away a guest that runs. Method: its disk is broken at the moment it would write `released`; once the
 * guest runs on, its agent is killed, the disk is mended, and a new agent starts.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { COMPOUNDS, runCompound } from "./compound.js";
import { testStage } from "./test-stage.js";

const { skip, stage } = testStage();

for (const compound of COMPOUNDS) {
  test(compound.words, { skip }, async () => {
    const { ending, judgement, troubles } = await runCompound(stage(), compound);
    assert.deepEqual([...judgement.broken, ...troubles], []);
    assert.equal(ending, compound.ending);
  });
}
