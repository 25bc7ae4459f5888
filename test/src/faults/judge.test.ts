/*
 * Goal: a judge that cannot condemn proves nothing. Method: testimonies written by hand, one crime each.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { judge, type Testimony } from "./judge.js";

const BOOT = "boot hz=100 ram=4\n";
const tick = (number: number) => `t ${String(number).padStart(8, "0")}\n`;

const source: Testimony = {
  hostName: "host-1",
  running: [{ from: 0, to: 1_000 }],
  console: `${BOOT}${tick(1)}t 0000`,
  late: false,
};
const destination: Testimony = {
  hostName: "host-2",
  running: [{ from: 3_000, to: undefined }],
  console: `0002\n${tick(3)}`,
  late: false,
};

test("a guest that moved once is innocent, and how long it stood still is told", () => {
  const { broken, reading, stoodStillMs } = judge([source, destination]);
  assert.deepEqual(broken, []);
  assert.equal(reading?.ticks, 3);
  assert.equal(stoodStillMs, 2);
});

test("a copy that was prepared and never ran is innocent", () => {
  const never = { ...destination, running: [], console: "" };
  assert.deepEqual(judge([source, never]).broken, []);
});

const condemned = (title: string, seen: readonly Testimony[], words: RegExp) =>
  test(title, () => assert.match(judge(seen).broken.join("\n"), words));

condemned(
  "two that run at one instant are condemned",
  [{ ...source, running: [{ from: 0, to: 3_001 }] }, destination],
  /two ran at once/,
);
condemned(
  "one that never stopped is condemned",
  [{ ...source, running: [{ from: 0, to: undefined }] }, destination],
  /two ran at once: host-1 from 0 and never stopped/,
);
condemned(
  "an old copy that wakes after the new one died is condemned",
  [
    { ...source, running: [...source.running, { from: 9_000, to: undefined }] },
    { ...destination, running: [{ from: 3_000, to: 8_000 }] },
  ],
  /an old copy woke again: the guest ran on host-1, then on host-2, then on host-1/,
);
condemned(
  "a tick that came twice is condemned",
  [source, { ...destination, console: `0001\n${tick(2)}` }],
  /repeated/,
);
condemned(
  "a tick that was lost on the way is condemned",
  [source, { ...destination, console: `0003\n` }],
  /skipped/,
);
condemned(
  "a guest that speaks where nobody saw it run is condemned",
  [source, { ...destination, running: [] }],
  /spoke on host-2/,
);
condemned(
  "a guest that was seen too late is condemned",
  [source, { ...destination, late: true }],
  /nobody saw when/,
);
