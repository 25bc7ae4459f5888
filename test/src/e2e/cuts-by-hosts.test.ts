/*
 * Goal: whatever else ends an arriving guest (its agent, its QEMU, its keeper, an order, its source)
 * ends it in every phase before it has landed, in none after, and the guest is where it was. Method: the
 * cells of the table in support/cuts.ts that cuts-by-callers.test.ts leaves.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CAUSES } from "./support/cuts.js";
import { Cutting } from "./support/cutting.js";

const cutting = new Cutting();
before(() => cutting.open());
after(() => cutting.close());

const HERE = [
  "agent_died",
  "shutdown",
  "abandoned",
  "recalled",
  "qemu_died",
  "keeper_died",
] as const;
for (const cause of HERE) cutting.row(cause);

test("the two files leave no cause out", () => {
  const callers = ["cancelled", "connection_lost", "keepalive", "heartbeat", "deadline"];
  assert.deepEqual([...callers, ...HERE], [...CAUSES]);
});
