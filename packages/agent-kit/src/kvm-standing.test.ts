import assert from "node:assert/strict";
import { test } from "node:test";
import { KVM_AGAIN_MS, KvmStanding } from "./kvm-standing.js";

const NO = { works: false, reason: "Permission denied" };
const YES = { works: true, reason: "a guest ran" };

test("a host on which KVM is mended takes guests under it without a restart", async () => {
  let now = 1_000_000;
  let here = NO;
  let tried = 0;
  const probe = async () => {
    tried += 1;
    return here;
  };
  const kvm = new KvmStanding(NO, probe, () => now);
  here = YES;
  assert.equal((await kvm.current()).works, false, "it was tried a moment ago");
  now += KVM_AGAIN_MS;
  const seen = await Promise.all([kvm.current(), kvm.current(), kvm.current()]);
  assert.deepEqual([seen.map(({ works }) => works), tried], [[true, true, true], 1]);
  assert.equal(kvm.seen.at.getTime(), now);

  here = NO;
  now += 10 * KVM_AGAIN_MS;
  assert.equal((await kvm.current()).works, true);
  assert.equal(tried, 1, "what works is not tried again");
});

test("a 'no' that stays one is tried again now and then, also after the clock was set back", async () => {
  let now = 1_000_000_000;
  let tried = 0;
  const probe = async () => {
    tried += 1;
    return NO;
  };
  const kvm = new KvmStanding(NO, probe, () => now);
  for (const step of [KVM_AGAIN_MS, 1, KVM_AGAIN_MS, -10 * KVM_AGAIN_MS]) {
    now += step;
    await kvm.current();
  }
  assert.equal(tried, 3);
});

test("what the configuration leaves out is not tried", async () => {
  const kvm = new KvmStanding(NO, undefined, () => 1);
  assert.equal((await kvm.current()).reason, NO.reason);
});
