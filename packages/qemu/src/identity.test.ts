/*
 * Goal: a process is taken for gone only if it is, since that is said of its guest for ever. Method: an
 * agent that has no descriptor left, as after a flood of connections, and so cannot read /proc.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { currentBootId, identify, killByIdentity, stateOf } from "./identity.js";
import { readProcesses, writeProcesses } from "./processes.js";
import { withoutDescriptors } from "./test-descriptors.js";
import { testHost } from "./test-host.js";

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
