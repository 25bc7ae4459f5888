import assert from "node:assert/strict";
import { test } from "node:test";
import { sparing } from "./sparing.js";

test("a burst is told in part, and what was left out is told later", () => {
  let now = 0;
  const said: unknown[] = [];
  const say = sparing(
    2,
    (unsaid, word: string) => void said.push([word, unsaid]),
    () => now,
  );
  for (const word of ["a", "b", "c", "d"]) say(word);
  assert.deepEqual(said, [
    ["a", 0],
    ["b", 0],
  ]);
  now = 60_001;
  say("e");
  assert.deepEqual(said.at(-1), ["e", 2]);
});
