import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import { until } from "./calls-for-tests.js";
import { type Limit, limitMetrics } from "./limit-metrics.js";

function setUp(named: Readonly<Record<string, Limit>>) {
  const registry = new Registry();
  limitMetrics([registry]).add(named);
  return async (name: string) => {
    const text = await registry.getSingleMetricAsString("ferry_limit_used");
    return new RegExp(`^ferry_limit_used\\{name="${name}"\\} (\\S+)$`, "m").exec(text)?.[1];
  };
}

test("a count that does not come is left out, and holds up nobody", async () => {
  let asked = 0;
  let answer: (count: number) => void = () => {};
  const hung = () => {
    asked += 1;
    return new Promise<number>((resolve) => {
      answer = resolve;
    });
  };
  const used = setUp({
    hung: { max: () => 1, used: hung },
    quick: { max: () => 1, used: () => 7 },
  });
  assert.deepEqual([await used("hung"), await used("quick")], [undefined, "7"]);
  assert.equal(asked, 1, "it is not asked again before it has answered");
  answer(3);
  await new Promise(setImmediate);
  const next = used("hung");
  await until("it to be asked afresh", () => asked === 2);
  answer(4);
  assert.equal(await next, "4");
});

test("a count that was told is not told on when nobody knows it any more", async () => {
  let fails = false;
  const count = async () => {
    if (fails) throw new Error("EIO");
    return 5;
  };
  const used = setUp({ guests: { max: () => 9, used: count } });
  assert.equal(await used("guests"), "5");
  fails = true;
  assert.equal(await used("guests"), undefined);
});
