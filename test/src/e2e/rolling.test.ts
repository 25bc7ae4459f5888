/*
 * Goal: Ferry can be upgraded under guests and under migrations: no guest stands still or is lost, and
 * every migration ends by the book. Method: every agent of two hosts is ended and started again, one
 * after another. `npm run rolling` is the same with more guests.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { complaints, rollingRestart } from "../rolling/rolling.js";

test("all agents are restarted, one after another: nobody stands still, migrations end by the book", async () => {
  const rolled = await rollingRestart({ residents: 4, migrating: 4, say: () => {} });
  assert.deepEqual(complaints(rolled), []);
  assert.equal(rolled.migrations.length, 4);
});
