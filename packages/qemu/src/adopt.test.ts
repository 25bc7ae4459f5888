/*
 * Goal: an agent that restarts finds every guest again without touching it, and is told the truth of
 * those that are gone. Method: real QEMUs, let go by one handle and found by another.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type AdoptOptions, adoptQemu } from "./adopt.js";
import type { Keeper } from "./keeper.js";
import { lastWordPath } from "./run-directory.js";
import { alive, type TestHost, testHost, until } from "./test-host.js";

/** A guest whose agent freed it and is gone. */
async function orphan(host: TestHost, name = "a"): Promise<AdoptOptions> {
  const { keeper, qemu } = await freed(host, name);
  return { runDir: join(host.dir, name), keeper, qemu };
}

async function freed(host: TestHost, name: string): Promise<Keeper> {
  const keeper = await host.launch(name);
  keeper.free();
  keeper.letGo();
  return keeper;
}

async function found(options: AdoptOptions): Promise<Keeper> {
  const answer = await adoptQemu(options);
  assert.ok("reaped" in answer, JSON.stringify(answer));
  return answer;
}

test("a guest that is found again is killed by its keeper, and tells so", async (t) => {
  const host = await testHost(t);
  const keeper = await found(await orphan(host));

  assert.throws(() => keeper.free(), /only by the agent that launched it/);
  await keeper.kill();

  assert.equal(alive(keeper.qemu.pid), false);
  const death = await keeper.reaped;
  assert.deepEqual(
    { signal: death.signal, freed: death.freed },
    { signal: "SIGKILL", freed: true },
  );
});

test("two agents may watch one guest, and both hear its end", async (t) => {
  const host = await testHost(t);
  const options = await orphan(host);
  const [one, other] = [await found(options), await found(options)];

  process.kill(options.qemu.pid, "SIGKILL"); // SIGTERM would be QEMU's to answer, once it handles signals

  assert.equal((await one.reaped).signal, "SIGKILL");
  assert.equal((await other.reaped).signal, "SIGKILL");
});

test("letting go of a guest that was found leaves it alone", async (t) => {
  const host = await testHost(t);
  const options = await orphan(host);
  (await found(options)).letGo();
  assert.ok(alive(options.qemu.pid) && alive(options.keeper.pid));
});

test("a guest whose keeper is gone is found, missed by its keeper, and can be killed", async (t) => {
  const host = await testHost(t);
  const options = await orphan(host);
  process.kill(options.keeper.pid, "SIGKILL");
  await until(() => !alive(options.keeper.pid), "the keeper is gone");

  const keeper = await found(options);
  await keeper.keeperGone;
  await keeper.kill();

  assert.equal(alive(keeper.qemu.pid), false);
});

test("how a guest ended meanwhile is read from its keeper's last word", async (t) => {
  const host = await testHost(t);
  const options = await orphan(host);
  process.kill(options.qemu.pid, "SIGKILL");
  await until(() => !alive(options.qemu.pid), "it is dead"); // its keeper may still be writing

  const death = await adoptQemu(options);

  assert.ok("summary" in death);
  assert.deepEqual(
    { signal: death.signal, freed: death.freed },
    { signal: "SIGKILL", freed: true },
  );
});

test("a last word that is half written counts as none", async (t) => {
  const host = await testHost(t);
  const options = await orphan(host);
  process.kill(options.keeper.pid, "SIGKILL");
  process.kill(options.qemu.pid, "SIGKILL");
  await until(() => !alive(options.qemu.pid) && !alive(options.keeper.pid), "both are gone");

  for (const text of ["", "137 fre", "137 freed itself", "x freed itself\n"]) {
    await writeFile(lastWordPath(options.runDir), text);
    const death = await adoptQemu(options);
    assert.ok("summary" in death && death.signal === undefined && death.freed === undefined, text);
  }
});

test("another process with the same pid, or from before the boot, is not the guest", async (t) => {
  const host = await testHost(t);
  const options = await orphan(host);
  const { qemu } = options;
  const later = { ...qemu, startTime: `${BigInt(qemu.startTime) + 1n}` };
  const before = { ...qemu, bootId: "00000000-0000-0000-0000-000000000000" };

  const runDir = join(host.dir, "elsewhere"); // theirs is gone
  const [other, past] = await Promise.all([
    adoptQemu({ runDir, qemu: later, keeper: later }),
    adoptQemu({ ...options, runDir, qemu: before }),
  ]);

  assert.ok("summary" in other && /no word/.test(other.summary));
  assert.ok("summary" in past && /last boot/.test(past.summary));
  assert.ok(alive(qemu.pid)); // nobody signalled it
  await (await found(options)).kill();
});

test("a guest that lives where this agent cannot see it is not taken for dead", async (t) => {
  const host = await testHost(t);
  const options = await orphan(host);
  const { qemu, keeper } = options;
  // As from another PID namespace, or another container's boot id.
  const unseen = { ...qemu, startTime: `${BigInt(qemu.startTime) + 1n}` };
  const elsewhere = { ...qemu, bootId: "00000000-0000-0000-0000-000000000000" };
  const refused = /lives, and this agent does not see it/;

  await assert.rejects(adoptQemu({ ...options, qemu: unseen, keeper: unseen }), refused);
  await assert.rejects(adoptQemu({ ...options, qemu: elsewhere }), refused);
  process.kill(keeper.pid, "SIGKILL");
  await until(() => !alive(keeper.pid), "its keeper is gone");
  await assert.rejects(adoptQemu({ ...options, qemu: unseen, keeper: unseen }), refused);
  process.kill(qemu.pid, "SIGKILL");
  await until(() => !alive(qemu.pid), "it is gone");

  const death = await adoptQemu({ ...options, qemu: unseen, keeper: unseen });
  assert.ok("summary" in death && /no word/.test(death.summary));
});

test("a guest is watched and killed although its run directory is gone", async (t) => {
  const host = await testHost(t);
  const options = await orphan(host);
  const keeper = await found(options);
  await rm(options.runDir, { recursive: true });

  await keeper.kill();

  assert.equal(alive(keeper.qemu.pid), false);
});

test("launching, freeing, killing and finding again leave no descriptor behind", async (t) => {
  const host = await testHost(t);
  const round = async (name: string) => {
    await (await host.launch(`${name}1`)).kill();
    const keeper = await found(await orphan(host, `${name}2`));
    await keeper.kill();
    await host.launch(`${name}3`, { binary: "/nonexistent" }).then(
      ({ reaped }) => reaped,
      () => {},
    );
  };
  await round("warm");
  const before = readdirSync("/proc/self/fd").length;

  for (const name of ["a", "b", "c", "d"]) await round(name);

  await until(() => readdirSync("/proc/self/fd").length <= before, `${before} descriptors`);
});
