import assert from "node:assert/strict";
import { getActiveResourcesInfo } from "node:process";
import { test } from "node:test";
import { within } from "./within.js";

const LONG_MS = 3_600_000;
const timers = () => getActiveResourcesInfo().filter((each) => each === "Timeout").length;

test("what is done in time is answered, whether well or not, and no timer is left", async () => {
  const before = timers();
  assert.equal(await within(LONG_MS, Promise.resolve(7)), 7);
  await assert.rejects(within(LONG_MS, Promise.reject(new Error("broken"))), /broken/);
  assert.equal(timers(), before);
});

test("what takes longer is answered with nothing, and may fail unheard later", async () => {
  let fail: (error: Error) => void = () => {};
  const work = new Promise<number>((_, reject) => {
    fail = reject;
  });
  assert.equal(await within(1, work), undefined);
  fail(new Error("too late to matter"));
  await new Promise(setImmediate);
});
