/*
 * Goal: the reading every migration test relies on must be able to fail. Method: consoles written by
 * hand, one defect each.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BrokenGuest, readTicker } from "./reading.js";

const BOOT = "boot hz=100 ram=4\n";
const tick = (number: number) => `t ${String(number).padStart(8, "0")}\n`;

const breaks = (title: string, text: string, message: RegExp) =>
  test(title, () => {
    assert.throws(
      () => readTicker(text),
      (error: unknown) => error instanceof BrokenGuest && message.test(error.message),
    );
  });

test("two consoles joined in the middle of a line read like one", () => {
  const here = `${BOOT}${tick(1)}${tick(2)}t 0000`;
  const there = `0003\nv 00000001\n${tick(4)}`;
  assert.deepEqual(readTicker(here + there), {
    options: "hz=100 ram=4",
    ticks: 4,
    rounds: 1,
    end: undefined,
  });
});

test("an unfinished last line is left for later", () => {
  assert.equal(readTicker(`${BOOT}${tick(1)}t 0000`).ticks, 1);
});

test("a guest that powered itself down has an end", () => {
  assert.equal(readTicker(`${BOOT}${tick(1)}off\n`).end, "off");
});

breaks("a skipped tick is told", BOOT + tick(1) + tick(3), /skipped.*before was 1/);
breaks("a repeated tick is told", BOOT + tick(1) + tick(2) + tick(2), /repeated/);
breaks("a second boot is told", BOOT + tick(1) + BOOT, /reset after tick 1/);
breaks("lost memory is told", `${BOOT}${tick(1)}bad 00201000\n`, /0x00201000/);
breaks("lost bytes are told", `${BOOT}t 000001\n`, /bytes were lost/);
breaks("bytes of two writers are told", `${BOOT}t 000t 00000001\n`, /bytes were lost/);
breaks("a skipped round is told", `${BOOT}v 00000002\n`, /before was 0/);
breaks("a guest that runs on after its end is told", `${BOOT}off\n${tick(1)}`, /went on after off/);
breaks("an unknown line is told", `${BOOT}hello\n`, /no line of this guest's/);
