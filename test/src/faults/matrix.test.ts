/*
 * Goal: a part of the failure matrix that touches every instant and every kind of fault runs with every
 * other test. Method: the rows themselves, with real QEMUs; `npm run faults` runs all of them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FaultId } from "./faults.js";
import type { Instant } from "./instants.js";
import { runCell } from "./row.js";
import { testStage } from "./test-stage.js";

const ROWS: readonly (readonly [Instant, FaultId])[] = [
  ["starting", "killController"],
  ["listening", "drop:sourceDestination"],
  ["met", "killSourceAgent"],
  ["firstPage", "reset:sourceDestination"],
  ["firstPage", "freezeController"],
  ["preSwitchover", "freezeDestinationQemu"],
  ["deviceState", "deaf:sourceDestination"],
  ["completed", "readOnly:source"],
  ["completed", "killController"],
  ["releasedUnsynced", "rebootSource"],
  ["releasedSynced", "killSourceQemu"],
  ["keeperFreed", "killDestinationAgent"],
  ["landingUnsynced", "rebootDestination"],
  ["landingSynced", "killDestinationAgent"],
  ["landingSynced", "killDestinationQemu"],
  ["afterCont", "termDestinationAgent"],
  ["beforeRename", "full:destination"],
  ["afterRename", "killKeeper"],
  ["verdictTold", "deaf:controllerDestination"],
  ["sourceReaped", "bytes:sourceDestination"],
  ["met", "runFull:source"],
  ["firstPage", "monitorGone:source"],
  ["firstPage", "clock:monthBack:source"],
  ["preSwitchover", "killSourcePump"],
  ["preSwitchover", "flood:streams:destination"],
  ["completed", "noDescriptors:source"],
  ["releasedSynced", "full:both"],
  ["landingSynced", "monitorLost:destination"],
  ["landingSynced", "tunnel:reset:sourceDestination"],
];

const { skip, stage } = testStage();

for (const [instant, fault] of ROWS) {
  test(`${fault} at ${instant} ends as it must`, { skip }, async () => {
    const { why, story = [] } = await runCell(stage(), instant, fault);
    assert.deepEqual(why, [], story.join("\n"));
  });
}
