/* Goal: sizes, rates and times are read as people mean them, and never guessed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatBytes,
  formatDuration,
  parseBytes,
  parseCount,
  parseDowntime,
  parseDuration,
  parseNames,
  parseRate,
  parseTimeout,
} from "./units.js";

test("sizes: bare letters and iB are powers of two, B after the letter powers of ten", () => {
  assert.equal(parseBytes("256M"), 268_435_456);
  assert.equal(parseBytes("4GiB"), 4_294_967_296);
  assert.equal(parseBytes("1.5k"), 1_536);
  assert.equal(parseBytes("100MB"), 100_000_000);
  assert.equal(parseBytes("1048576"), 1_048_576);
});

test("rates need a unit and a time, and may be bits", () => {
  assert.equal(parseRate("100MB/s"), 100_000_000);
  assert.equal(parseRate("64MiB/s"), 67_108_864);
  assert.equal(parseRate("1Gbit/s"), 125_000_000);
  assert.equal(parseRate("1Gbps"), 1_000_000_000);
});

test("times need a unit", () => {
  assert.equal(parseDuration("300ms"), 300);
  assert.equal(parseDuration("1.5s"), 1_500);
  assert.equal(parseDuration("2m"), 120_000);
  assert.equal(parseDuration("0s"), 0);
});

test("anything else is refused, with an example", () => {
  for (const text of ["", "M", "-1M", "1 2M", "1Mbit", "0x10", "1e9", "M1"]) {
    assert.throws(() => parseBytes(text), /e\.g\. "256M"/, text);
  }
  for (const text of ["100", "100MB", "MB/s", "0MB/s", "-1MB/s"]) {
    assert.throws(() => parseRate(text), /e\.g\. "100MB\/s"/, text);
  }
  for (const text of ["300", "ms", "-1s", "1d"]) {
    assert.throws(() => parseDuration(text), /e\.g\. "300ms"/, text);
  }
  for (const text of ["0", "-1", "1.5", "many", "10000000"]) assert.throws(() => parseCount(text));
});

test("a time limit is at least a millisecond and at most 24 days", () => {
  assert.equal(parseTimeout("10m"), 600_000);
  assert.equal(parseTimeout("576h"), 2_073_600_000);
  for (const text of ["0s", "577h"]) assert.throws(() => parseTimeout(text), /24 days/, text);
});

test("a blackout is at least a millisecond and at most a minute", () => {
  assert.equal(parseDowntime("300ms"), 300);
  assert.equal(parseDowntime("60s"), 60_000);
  for (const text of ["0s", "61s"]) assert.throws(() => parseDowntime(text), /1ms to 60s/, text);
});

test("numbers are shown short", () => {
  assert.equal(formatBytes(0), "0 B");
  assert.equal(formatBytes(268_435_456), "256 MiB");
  assert.equal(formatBytes(1_610_612_736), "1.5 GiB");
  assert.equal(formatDuration(12.4), "12 ms");
  assert.equal(formatDuration(3_200), "3.2 s");
  assert.equal(formatDuration(125_000), "2 min 5 s");
});

test("names are given one by one, or with commas between them, and none is empty", () => {
  assert.deepEqual(parseNames("b,c", parseNames("a")), ["a", "b", "c"]);
  assert.deepEqual(parseNames("b, c"), ["b", "c"]);
  for (const text of ["", "b,", ",b", "b,,c"]) assert.throws(() => parseNames(text), /"b,c"/, text);
});
