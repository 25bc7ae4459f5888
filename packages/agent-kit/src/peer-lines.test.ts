/* Goal: a line is one caller's at a time, is used again, and is never left open. Method: clients that only count. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerServiceClient } from "@ferry/contract";
import { PeerLines } from "./peer-lines.js";

function lines() {
  const closed: number[] = [];
  let dialled = 0;
  const pool = new PeerLines(() => {
    dialled += 1;
    const number = dialled;
    return { close: () => closed.push(number) } as unknown as PeerServiceClient;
  });
  return { pool, closed, dialled: () => dialled };
}

test("a line that was given back is used again, by one caller", () => {
  const { pool, dialled } = lines();
  const first = pool.open("a:1", "a/destination");
  const second = pool.open("a:1", "a/destination");
  assert.notEqual(first.client, second.client);

  first.giveBack();

  assert.equal(pool.open("a:1", "a/destination").client, first.client);
  assert.equal(dialled(), 2);
  pool.open("a:1", "a/destination");
  assert.equal(dialled(), 3);
});

test("a line leads to one agent at one address", () => {
  const { pool, dialled } = lines();
  pool.open("a:1", "a/destination").giveBack();

  pool.open("a:1", "b/destination");
  pool.open("a:2", "a/destination");

  assert.equal(dialled(), 3);
});

test("a line that was hung up is not used again", () => {
  const { pool, closed, dialled } = lines();
  pool.open("a:1", "a/destination").hangUp();

  pool.open("a:1", "a/destination");

  assert.deepEqual(closed, [1]);
  assert.equal(dialled(), 2);
});

test("one idle line to each agent is enough", () => {
  const { pool, closed } = lines();
  const [first, second] = [pool.open("a:1", "a"), pool.open("a:1", "a")];

  first.giveBack();
  second.giveBack();

  assert.deepEqual(closed, [2]);
});

test("an idle line is closed after a while, and at the end", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { pool, closed } = lines();
  pool.open("a:1", "a").giveBack();
  t.mock.timers.tick(10_000);
  assert.deepEqual(closed, [1]);
  const last = pool.open("a:1", "a");
  pool.open("b:1", "b").giveBack();

  pool.close();
  last.giveBack();

  assert.deepEqual(closed, [1, 3, 2]);
});
