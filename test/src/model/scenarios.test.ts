/* Goal: what must come of a migration does come of it. Method: see scenarios.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { play, SCENARIOS } from "./scenarios.js";
import { FERRY } from "./setting.js";

for (const scenario of SCENARIOS) {
  test(scenario.title, () => {
    assert.equal(play(scenario, FERRY), undefined);
  });
}
