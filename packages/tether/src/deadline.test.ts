/*
 * Goal: a deadline grpc-js cannot keep is refused in words before anything is prepared, and every
 * other one is kept. Method: real calls, and each unit a timeout may be written in.
 */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { Fault } from "@ferry/contract";
import { checkDeadline, setAsideLongTimeout } from "./deadline.js";
import { Rig } from "./rig-for-tests.js";

const DAY_MS = 24 * 60 * 60 * 1000;
const inDays = (days: number) => ({ deadline: new Date(Date.now() + days * DAY_MS) });

describe("a call's deadline", () => {
  let rig: Rig;
  afterEach(() => rig.close());

  for (const days of [25, 60, 4_000]) {
    test(`${days} days ahead is refused, and not cut meanwhile`, async () => {
      rig = await Rig.start();
      rig.hold(rig.client(), inDays(days));
      const { call } = await rig.nextTie();
      assert.throws(
        () => checkDeadline(call),
        (thrown) =>
          thrown instanceof Fault &&
          thrown.reason === "INVALID_REQUEST" &&
          thrown.details.fieldViolations?.[0]?.field === "grpc-timeout",
      );
      assert.equal(call.cancelled, false);
    });
  }

  test("23 days ahead is kept to the second", async () => {
    rig = await Rig.start();
    const { deadline } = inDays(23);
    rig.hold(rig.client(), { deadline });
    const { call } = await rig.nextTie();
    checkDeadline(call);
    assert.ok(Math.abs(Number(call.getDeadline()) - deadline.getTime()) < 60_000);
  });

  test("may be absent", async () => {
    rig = await Rig.start();
    rig.hold();
    const { call } = await rig.nextTie();
    checkDeadline(call);
    assert.equal(call.getDeadline(), Number.POSITIVE_INFINITY);
  });
});

describe("a grpc-timeout", () => {
  const tooLong = ["577H", "99999999H", "34561M", "2073601S"];
  const kept = ["576H", "34560M", "2073600S", "99999999m", "99999999u", "99999999n", "0S"];
  const nonsense = ["99999999x", "123456789S", "-1S", ""];

  for (const timeout of tooLong) {
    test(`of ${timeout} is set aside`, () => {
      const headers = { "grpc-timeout": timeout };
      setAsideLongTimeout(headers);
      assert.deepEqual(headers, { "ferry-timeout-too-long": timeout });
    });
  }
  for (const timeout of [...kept, ...nonsense]) {
    test(`of "${timeout}" is left to grpc-js`, () => {
      const headers = { "grpc-timeout": timeout };
      setAsideLongTimeout(headers);
      assert.deepEqual(headers, { "grpc-timeout": timeout });
    });
  }
  test("that a caller says was set aside is not believed", () => {
    const headers = { "grpc-timeout": "1S", "ferry-timeout-too-long": "forged" };
    setAsideLongTimeout(headers);
    assert.deepEqual(headers, { "grpc-timeout": "1S" });
  });
});
