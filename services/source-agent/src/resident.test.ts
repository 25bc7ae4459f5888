/*
 * Goal: a guest whose monitor does not answer is tried again for ever, ever more rarely, and is said to be out
 * of reach once. Method: a guest that is a keeper's word, whose run directory does not exist, and a clock that
 * the test turns.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Logger } from "@ferry/agent-kit";
import { GuestState } from "@ferry/contract";
import type { Keeper } from "@ferry/qemu";
import { guestRecord } from "./guest-record-for-tests.js";
import { Resident } from "./resident.js";

/** Lets what a timer began come to its end. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

function stage(t: TestContext) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const said: string[] = [];
  const note = (level: string) => (_about: object, text: string) => said.push(`${level}: ${text}`);
  const log = { debug: note("debug"), info: note("info"), error: note("error") };
  const keeper = { reaped: new Promise(() => {}), look() {}, letGo() {} } as unknown as Keeper;
  const record = guestRecord("web-1", "/nonexistent/ferry/0123456789abcde");
  const resident = new Resident(record, keeper, log as unknown as Logger);
  const tries = () => said.filter((line) => line.startsWith("debug")).length;
  const pass = async (ms: number) => {
    t.mock.timers.tick(ms);
    await settled();
    await settled();
  };
  return { resident, said, tries, pass };
}

test("a monitor that does not answer is told once, and tried again ever more rarely", async (t) => {
  const { resident, said, tries, pass } = stage(t);
  let told = 0;
  void resident.changes.after(resident.changes.version).then(() => {
    told += 1;
  });
  await resident.open().catch((error: unknown) => resident.cannotReach(error));
  await settled();
  assert.equal(told, 1);
  assert.equal(resident.state, GuestState.UNREACHABLE);
  assert.match(resident.reason, /run directory .* is gone/);

  for (const ms of [200, 400, 800, 1_600]) {
    const before = tries();
    await pass(ms - 1);
    assert.equal(tries(), before, `not before ${ms} ms`);
    await pass(1);
    assert.equal(tries(), before + 1, `after ${ms} ms`);
  }
  const before = tries();
  for (let second = 0; second < 3_600; second += 1) await pass(1_000);
  const tried = tries() - before;
  assert.ok(tried >= 300 && tried <= 400, `${tried} tries in an hour`);
  assert.deepEqual(
    said.filter((line) => !line.startsWith("debug")),
    ["error: the guest's monitor does not answer: it is left as it is"],
  );
});

test("a guest that goes, or whose agent ends, is not tried any more", async (t) => {
  const { resident, tries, pass } = stage(t);
  await resident.open().catch((error: unknown) => resident.cannotReach(error));
  resident.letGo();
  await pass(60_000);
  assert.equal(tries(), 0);
});
