import assert from "node:assert/strict";
import { test } from "node:test";
import { Ahead } from "./ahead.js";

test("what was done ahead is there, until it is taken", async () => {
  const ahead = new Ahead<number>();
  await ahead.begin("a", Promise.resolve(7));
  assert.equal(await ahead.look("a"), 7);
  assert.equal(await ahead.take("a"), 7);
  assert.equal(await ahead.take("a"), undefined);
  assert.equal(await ahead.look("b"), undefined);
});

test("who asks too early waits, and what failed was not done", async () => {
  const ahead = new Ahead<number>();
  let fail: (error: Error) => void = () => {};
  const work = new Promise<number>((_, reject) => {
    fail = reject;
  });
  const begun = ahead.begin("a", work);
  const taken = ahead.take("a");
  fail(new Error("the disk is full"));
  await assert.rejects(begun, /full/);
  assert.equal(await taken, undefined);
});
