import assert from "node:assert/strict";
import { test } from "node:test";
import { report, type Sample, summary, toTable } from "./report.js";
import { ROW_IDS, type RowId } from "./rows.js";

const pairs = (...samples: [ferry: number, floor?: number][]): Sample[] =>
  samples.map(([ferry, floor]) => ({ ferry, floor }));
const of = (id: RowId, ...samples: [ferry: number, floor?: number][]) => {
  const [row] = report(new Map([[id, pairs(...samples)]]));
  assert.ok(row !== undefined);
  return row;
};

test("a summary names measured numbers, and the middle of an even count", () => {
  assert.deepEqual(summary([3, 1, 2]), { median: 2, min: 1, max: 3, p95: 3, n: 3 });
  assert.equal(summary([1, 2, 3, 10]).median, 2.5);
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  assert.equal(summary(hundred).p95, 95);
  assert.deepEqual(summary([7]), { median: 7, min: 7, max: 7, p95: 7, n: 1 });
});

test("the ratio is of pairs: a machine that slows down in between changes nothing", () => {
  const row = of("outside-qemu", [20, 10], [2_000, 1_000], [40, 20]);
  assert.equal(row.ratio, 2);
  assert.equal(row.met, true);
  assert.equal(of("outside-qemu", [21, 10]).met, false);
});

test("a target is met at its bound, and by the number it is about", () => {
  assert.equal(of("hand-over", [5, 1], [5, 1], [90, 1]).met, true);
  assert.equal(of("hand-over", [5.1, 1]).met, false);
  assert.equal(of("destination-frozen-qemu", [1_300], [2_001]).met, false);
  assert.equal(of("tunnel", [50, 100]).met, true);
  assert.equal(of("tunnel", [49, 100]).met, false);
  assert.equal(of("wall", [1, 1]).met, null);
});

test("rows that were not measured are not there, and the others come in their order", () => {
  const samples = new Map<RowId, Sample[]>([
    ["hand-over", pairs([1, 1])],
    ["wall", pairs([2, 1])],
    ["blackout", []],
  ]);
  assert.deepEqual(
    report(samples).map(({ id }) => id),
    ["wall", "hand-over"],
  );
});

test("the table has a line for each row, all of one width", () => {
  const samples = new Map(ROW_IDS.map((id) => [id, pairs([1, 2], [3, 4])]));
  const lines = toTable(report(samples)).split("\n");
  assert.equal(lines.length, ROW_IDS.length + 2);
  assert.equal(new Set(lines.map(({ length }) => length)).size, 1);
});
