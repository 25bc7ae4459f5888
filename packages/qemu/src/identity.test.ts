/*
 * Goal: a process is taken for gone only if it is, since that is said of its guest for ever. Method: an
 * agent that has no descriptor left, as after a flood of connections, and so cannot read /proc.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { currentBootId, identify, killByIdentity, stateOf } from "./identity.js";
import { readProcesses, writeProcesses } from "./processes.js";
import { testHost } from "./test-host.js";

/** Descriptors this process may have then: what Node and the test hold, and a few. */
const DESCRIPTORS_MAX = 256;

/** Runs `work` while not a single file can be opened. */
async function withoutDescriptors(t: TestContext, work: () => unknown): Promise<void> {
  const limit = (soft: string) =>
    assert.equal(spawnSync("prlimit", [`--pid=${process.pid}`, `--nofile=${soft}:`]).status, 0);
  const held: number[] = [];
  const giveBack = () => {
    for (const descriptor of held.splice(0)) closeSync(descriptor);
  };
  t.after(giveBack);
  limit(String(DESCRIPTORS_MAX));
  await new Promise(setImmediate); // what was closed before is given back by then
  assert.throws(
    () => {
      for (;;) held.push(openSync("/dev/null", "r"));
    },
    { code: "EMFILE" },
  );
  try {
    await work();
  } finally {
    giveBack();
  }
}

test("a QEMU that cannot be looked at is not taken for dead", async (t) => {
  const host = await testHost(t);
  const keeper = await host.launch("a");
  let buried = false;
  void keeper.reaped.then(() => {
    buried = true;
  });

  await withoutDescriptors(t, () => {
    assert.equal(stateOf(keeper.qemu), "lives");
    assert.equal(killByIdentity(keeper.qemu), false, "it may be somebody else's by now");
    keeper.look();
  });

  await new Promise(setImmediate);
  assert.equal(buried, false);
  await keeper.kill();
  assert.equal((await keeper.reaped).signal, "SIGKILL");
  assert.equal(stateOf(keeper.qemu), "gone");
});

test("who lives in a run directory is not known to be nobody when it cannot be read", async (t) => {
  const host = await testHost(t);
  const runDir = await host.runDir("a");
  assert.equal(await readProcesses(runDir), undefined);
  const own = identify(process.pid, process.ppid);
  assert.ok(own);
  await writeProcesses(runDir, { keeper: own, qemu: own });

  await withoutDescriptors(t, () => assert.rejects(readProcesses(runDir), { code: "EMFILE" }));

  assert.deepEqual(await readProcesses(runDir), { keeper: own, qemu: own });
  assert.equal(own.bootId, currentBootId());
});
