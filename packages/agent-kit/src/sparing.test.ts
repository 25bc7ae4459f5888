import assert from "node:assert/strict";
import { test } from "node:test";
import { sparing, sparingEach } from "./sparing.js";

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

test("one who causes a burst drowns nobody's lines but its own, and no number of them is told without end", () => {
  const said: string[] = [];
  const say = sparingEach(
    2,
    (_unsaid, word: string) => void said.push(word),
    () => 0,
  );
  for (let time = 0; time < 5; time += 1) say("loud", "loud");
  say("quiet", "quiet");
  assert.deepEqual(said, ["loud", "loud", "quiet"]);
  for (let caller = 0; caller < 10_000; caller += 1) say(`caller ${caller}`, "more");
  assert.ok(said.length < 200, `${said.length}`);
});
