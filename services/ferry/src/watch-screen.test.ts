/* Goal: `ferry watch` fits the window it is drawn in, or its table would be drawn askew. Method: frames. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Migration, Role, Verdict } from "@ferry/contract";
import type { Seen } from "./migration-lines.js";
import { frame } from "./watch-screen.js";

function seen(number: number, settled: boolean): Seen {
  const migrationId = `0b7d3f6e-5a51-4c6f-9c1d-${String(number).padStart(12, "0")}`;
  const verdict = settled ? Verdict.LANDED : Verdict.PENDING;
  const guestId = `vm${number}`;
  const phase = "performing";
  return {
    host: "a",
    migration: Migration.fromPartial({
      migrationId,
      guestId,
      phase,
      settled,
      verdict,
      role: Role.SOURCE,
    }),
  };
}

test("a table is never wider or higher than its window, whatever its size", () => {
  const all = Array.from({ length: 50 }, (_, index) => seen(index, index % 2 === 0));
  for (const [columns, rows] of [
    [40, 12],
    [80, 24],
    [200, 5],
  ] as const) {
    const lines = frame(all, columns, rows);
    assert.ok(lines.length < rows, `${lines.length} lines in ${rows} rows`);
    for (const line of lines) assert.ok(line.length <= columns, line);
    assert.match(lines.at(-1) ?? "", /^… and [0-9]+ more/);
  }
});

test("what a narrow window cuts off is not the guest, its host or its phase", () => {
  const [, line = ""] = frame([seen(1, false)], 40, 24);
  assert.match(line, /^vm1 +source +a +performing/);
});

test("migrations that have ended make room for those under way", () => {
  const lines = frame([seen(1, false), seen(2, true), seen(3, true)], 200, 4);
  assert.deepEqual(
    lines.map((line) => line.split(" ")[0]),
    ["GUEST", "vm1", "…"],
  );
});

test("with nothing to show it says so", () => {
  assert.deepEqual(frame([], 80, 24), ["no migration is under way; Ctrl-C ends"]);
});
