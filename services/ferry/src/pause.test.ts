/* Goal: whoever pauses again and again for days leaves nothing behind. */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { pause } from "./pause.js";

test("a pause ends by itself, or at once with the signal, and leaves no listener", async () => {
  const over = new AbortController();
  for (let turn = 0; turn < 20; turn += 1) await pause(1, over.signal);
  assert.equal(getEventListeners(over.signal, "abort").length, 0);
  const long = pause(2 ** 30, over.signal);
  over.abort();
  await long;
  assert.equal(getEventListeners(over.signal, "abort").length, 0);
  await pause(2 ** 30, over.signal);
});
