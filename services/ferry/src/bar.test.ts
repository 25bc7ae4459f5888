/* Goal: progress is readable on a terminal of any width. Method: lines at the widths that people have. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { barLine, shorten } from "./bar.js";

const PARTS = ["ETA 6.2 s", "16 MiB/s", "97 MiB left", "pass 1", "performing → receivingOrdered"];

test("a bar never reaches the last column, whatever the width", () => {
  for (let columns = 1; columns <= 200; columns += 1) {
    for (const ratio of [0, 0.244, 1]) {
      assert.ok(barLine(ratio, PARTS, columns).length < Math.max(2, columns), `${columns}`);
    }
  }
});

test("where there is no room, what matters least is left out", () => {
  assert.equal(barLine(0.244, PARTS, 40), "██░░░░░░░  24%  ETA 6.2 s  16 MiB/s");
  assert.equal(
    barLine(0.244, PARTS, 80),
    "████░░░░░░░░░░░░░░░  24%  ETA 6.2 s  16 MiB/s  97 MiB left  pass 1",
  );
  assert.match(barLine(0.244, PARTS, 120), /pass 1 {2}performing → receivingOrdered$/);
});

test("the bar's length depends on the terminal alone, and it is full only at the end", () => {
  const bar = (ratio: number, part: string) => /^[█░]+/.exec(barLine(ratio, [part], 80))?.[0];
  assert.equal(bar(0.5, "1 B")?.length, bar(0.9, "1000 MiB/s")?.length);
  assert.match(bar(0.999, "") ?? "", /░$/);
  assert.doesNotMatch(bar(1, "") ?? "", /░/);
});

test("a line is cut where it would wrap", () => {
  assert.equal(shorten("abcdef", 6), "abcdef");
  assert.equal(shorten("abcdef", 5), "abcd…");
});
