import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { until } from "./calls-for-tests.js";
import { Liveness } from "./liveness.js";
import { makeLogger } from "./logs.js";

function setUp(t: TestContext, probe: () => Promise<void>) {
  const said: boolean[] = [];
  const lines: string[] = [];
  const log = makeLogger({ level: "info", base: {} }, { write: (line) => void lines.push(line) });
  const say = (isAlive: boolean) => void said.push(isAlive);
  const liveness = new Liveness({ probe, withinMs: 20, say, log });
  t.after(() => liveness.stop());
  return { said, lines };
}

test("a directory that refuses has answered", async (t) => {
  let asked = 0;
  const { said } = setUp(t, async () => {
    asked += 1;
    throw new Error("ENOSPC");
  });
  await until("many a look", () => asked > 12);
  assert.deepEqual(said, []);
});

test("one that says nothing is told once, and asked no second thing meanwhile", async (t) => {
  let asked = 0;
  let answer = () => {};
  const { said, lines } = setUp(t, () => {
    asked += 1;
    return new Promise((resolve) => {
      answer = resolve;
    });
  });
  await until("it to be told", () => said.length > 0);
  assert.deepEqual([said, asked], [[false], 1]);
  assert.match(lines.join(""), /does not answer/);
  answer();
  await until("it to be told again", () => said.length > 1);
  assert.equal(said[1], true);
  assert.match(lines.join(""), /answers again/);
});
