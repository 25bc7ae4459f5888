import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { processesPath, removeRunDirectory } from "./run-directory.js";
import { sweepStrays } from "./strays.js";
import { alive, type TestHost, testHost, until } from "./test-host.js";

/** A paused QEMU whose keeper was killed, and which its agent forgot. */
async function lost(host: TestHost, name: string): Promise<number> {
  const { keeper, qemu } = await host.launch(name);
  process.kill(keeper.pid, "SIGKILL");
  await until(() => !alive(keeper.pid), "the keeper is gone");
  return qemu.pid;
}

test("a QEMU that no keeper guards and no record knows is swept, and nothing else", async (t) => {
  const host = await testHost(t);
  const [stray, known] = [await lost(host, "stray"), await lost(host, "known")];
  const guarded = await host.launch("guarded");
  const rubbish = join(host.dir, "rubbish");
  await mkdir(rubbish);
  await writeFile(processesPath(rubbish), '{"keeper":{"pid":1');

  const swept = await sweepStrays(host.dir, async (dir) => dir === join(host.dir, "known"));

  assert.deepEqual(
    swept.map(({ runDir, qemu }) => [runDir, qemu.pid]),
    [[join(host.dir, "stray"), stray]],
  );
  assert.ok(!alive(stray) && !existsSync(join(host.dir, "stray")));
  assert.ok(alive(known) && alive(guarded.qemu.pid) && existsSync(rubbish));
});

test("nothing is started or removed where a QEMU still lives", async (t) => {
  const host = await testHost(t);
  const pid = await lost(host, "a");
  await assert.rejects(host.runDir("a"), new RegExp(`a QEMU \\(pid ${pid}\\) still lives`));
  await assert.rejects(removeRunDirectory(join(host.dir, "a")), /left alone/);
});
