/*
 * Goal: what is left of our guests is found, whoever launched them; what is not ours is never even
 * seen, however much it looks like it; and what is removed is what was looked at. Method: real QEMUs
 * under real keepers, real SIGKILLs, and impostors.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, rmdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "@ferry/qmp";
import { commandLine } from "./command-line.js";
import { identifyAny } from "./identity.js";
import type { Keeper } from "./keeper.js";
import { findTraces, type Trace } from "./orphans.js";
import { endOrphan, everRan, removeOrphanDirectory, removeSwept } from "./orphans-sweep.js";
import { writeProcesses } from "./processes.js";
import { makeRunDirectory, qemuLivingIn, removeRunDirectory } from "./run-directory.js";
import { sampleSpec } from "./spec-for-tests.js";
import { withoutDescriptors, withoutDescriptorsFor } from "./test-descriptors.js";
import { alive, processesOf, QEMU, type TestHost, testHost, until } from "./test-host.js";
import { cont } from "./vcpu.js";

const ONE = "0123456789abcde";
const OTHER = "fedcba987654321";

/** As an agent launches it: paused, booting or waiting for a migration. */
function argvFor(runDir: string, incoming = false): string[] {
  const monitors = ["source.qmp", "destination.qmp", "debug.qmp"];
  return commandLine(sampleSpec(), {
    accelerator: "tcg",
    runDir,
    monitors,
    incoming,
    paused: true,
    sandbox: true,
  });
}

async function launch(host: TestHost, name: string, incoming = false): Promise<Keeper> {
  const keeper = await host.launch(name, { argv: argvFor(join(host.dir, name), incoming) });
  // Its last socket is there: it is done starting.
  await until(() => existsSync(join(host.dir, name, "debug.qmp")), "QEMU is up");
  return keeper;
}

async function killKeeper({ keeper }: Keeper): Promise<void> {
  process.kill(keeper.pid, "SIGKILL");
  await until(() => !alive(keeper.pid), "the keeper is gone");
}

function traces(dir: string, cgroups: string[] = []): Promise<Trace[]> {
  return findTraces({ runDir: dir, cgroups });
}

async function traceOf(dir: string, name: string): Promise<Trace> {
  const found = (await traces(dir)).find((each) => each.name === name);
  assert.ok(found, `${name} is found`);
  return found;
}

/** A process that no keeper started, until what is done meanwhile is over. */
async function beside(
  argv: readonly string[],
  argv0: string | undefined,
  run: (pid: number) => Promise<void>,
): Promise<void> {
  const [program = "", ...args] = argv;
  const child = spawn(program, args, {
    stdio: ["pipe", "ignore", "ignore"],
    ...(argv0 ? { argv0 } : {}),
  });
  try {
    await run(child.pid ?? 0);
  } finally {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }
}

test("a guest's directory, QEMU and keeper are found together, and what the keeper was told", async (t) => {
  const host = await testHost(t);
  const keeper = await launch(host, ONE);
  const before = await traceOf(host.dir, ONE);
  assert.deepEqual(before.qemus, [
    { kind: "qemu", name: ONE, identity: keeper.qemu, atHome: true },
  ]);
  assert.deepEqual(before.keepers, [
    { kind: "keeper", name: ONE, identity: keeper.keeper, phase: "unfreed" },
  ]);
  assert.equal(before.directory?.path, join(host.dir, ONE));
  keeper.free();
  const phase = async () => (await traceOf(host.dir, ONE)).keepers[0]?.phase;
  await until(async () => (await phase()) === "freed", "it has closed its line");
  await killKeeper(keeper);
  const after = await traceOf(host.dir, ONE);
  assert.deepEqual([after.qemus.length, after.keepers.length], [1, 0]);
});

test("a QEMU of another run directory is not seen, nor anything that only looks like ours", async (t) => {
  const host = await testHost(t);
  const theirs = join(host.dir, "theirs");
  await launch(host, `theirs/${ONE}`);
  await symlink(theirs, join(host.dir, "abcdefabcdef012"));
  await writeFile(join(host.dir, "aaaaaaaaaaaaaaa"), "");
  // libvirt's, or anybody's: born elsewhere, even with our paths in its arguments.
  const impostor = join(host.dir, OTHER);
  await mkdir(impostor);
  const argv = argvFor(impostor);
  await beside([QEMU, ...argv], undefined, async () => {
    await until(() => existsSync(join(impostor, "debug.qmp")), "the impostor is up");
    await beside(["/bin/sh", "-c", "read x; :", ...argv], QEMU, async () => {
      assert.equal(processesOf(impostor).length, 2);
      const seen = await traces(host.dir);
      assert.deepEqual(
        seen.map(({ name, qemus, keepers }) => [name, qemus, keepers]),
        [[OTHER, [], []]],
      );
    });
  });
  assert.equal((await traceOf(theirs, ONE)).qemus.length, 1); // it is there, for whoever owns it
});

test("a QEMU whose run directory was removed or replaced is found, and known to be homeless", async (t) => {
  const host = await testHost(t);
  await launch(host, ONE);
  await launch(host, OTHER);
  await rm(join(host.dir, ONE), { recursive: true });
  await rm(join(host.dir, OTHER), { recursive: true });
  await mkdir(join(host.dir, OTHER));
  const homes = (await traces(host.dir)).map(({ directory, qemus }) => [
    directory !== undefined,
    qemus.map(({ atHome }) => atHome),
  ]);
  assert.deepEqual(homes, [
    [false, [false]],
    [true, [false]],
  ]);
});

test("QEMU says whether its guest ever ran; one that does not answer is not taken at no word", async (t) => {
  const host = await testHost(t);
  const booting = await launch(host, ONE);
  await launch(host, OTHER, true);
  const [one, other] = [join(host.dir, ONE), join(host.dir, OTHER)];
  assert.deepEqual([await everRan(one), await everRan(other)], [false, false]);
  const qmp = await connect(join(one, "source.qmp"), { timeoutMs: 5_000 });
  t.after(() => qmp.close());
  assert.equal(await cont(qmp), "ran");
  assert.equal(await everRan(one), true);
  await qmp.execute("stop"); // standing still is not the same as never having run
  assert.equal(await everRan(one), true);
  process.kill(booting.qemu.pid, "SIGSTOP");
  assert.equal(await everRan(one), undefined);
  process.kill(booting.qemu.pid, "SIGCONT");
  assert.equal(await everRan(join(host.dir, "nobody")), undefined);
});

test("an orphan is ended and its directory removed; another process of that pid is not", async (t) => {
  const host = await testHost(t);
  const keeper = await launch(host, ONE);
  await killKeeper(keeper);
  const later = { ...keeper.qemu, startTime: `${BigInt(keeper.qemu.startTime) + 1n}` };
  assert.equal(await endOrphan(later), "");
  assert.ok(alive(keeper.qemu.pid));

  const { directory } = await traceOf(host.dir, ONE);
  assert.ok(directory);
  assert.match(await removeOrphanDirectory(directory), /a QEMU \(pid \d+\) lives in it/);
  assert.equal(await endOrphan(keeper.qemu), "");
  assert.ok(!alive(keeper.qemu.pid));
  assert.equal(await removeOrphanDirectory(directory), "");
  assert.deepEqual(await traces(host.dir), []);
});

test("a QEMU that this agent does not see keeps its directory: it is not swept, removed or made anew", async (t) => {
  const host = await testHost(t);
  const keeper = await launch(host, ONE);
  const runDir = join(host.dir, ONE);
  // As an agent in another PID namespace reads what the one that launched it wrote.
  const unseen = ({ startTime, ...identity }: Keeper["qemu"]) => ({
    ...identity,
    startTime: `${BigInt(startTime) + 1n}`,
  });
  await writeProcesses(runDir, { keeper: unseen(keeper.keeper), qemu: unseen(keeper.qemu) });
  const { directory } = await traceOf(host.dir, ONE);
  assert.ok(directory);
  assert.match(await removeOrphanDirectory(directory), /does not see .* lives in it/);
  await assert.rejects(removeRunDirectory(runDir), /does not see .* still lives in/);
  await assert.rejects(makeRunDirectory(runDir), /does not see .* still lives in/);
  keeper.free();
  await killKeeper(keeper); // QEMU alone holds it now
  assert.match((await qemuLivingIn(runDir)) ?? "", /does not see/);
  assert.ok(alive(keeper.qemu.pid) && existsSync(join(runDir, "debug.qmp")));

  process.kill(keeper.qemu.pid, "SIGKILL");
  await until(() => !alive(keeper.qemu.pid), "it is gone");
  await removeRunDirectory(runDir);
  assert.ok(!existsSync(runDir));
});

test("a directory that was replaced since it was looked at stays, and what a dead agent had begun ends", async (t) => {
  const host = await testHost(t);
  const path = join(host.dir, ONE);
  await mkdir(path);
  const { directory } = await traceOf(host.dir, ONE);
  assert.ok(directory);
  await rename(path, join(host.dir, ".swept.1.2")); // an agent died between its two steps
  await mkdir(path);
  assert.equal(await removeOrphanDirectory(directory), "");
  await removeSwept(host.dir);
  assert.deepEqual([existsSync(path), existsSync(join(host.dir, ".swept.1.2"))], [true, false]);
});

test("cgroups go with their guest, and are found without it", async (t) => {
  const parent = await mkdtemp("/sys/fs/cgroup/pids/ferry-test-").catch(() => undefined);
  if (parent === undefined) return t.skip("no cgroup hierarchy is writable here");
  const host = await testHost(t);
  t.after(() => rmdir(parent)); // fails if anything is left in it
  const argv = argvFor(join(host.dir, ONE));
  const keeper = await host.launch(ONE, { argv, cgroups: [parent] });
  await mkdir(join(parent, OTHER));
  const seen = (await traces(host.dir, [parent])).map(({ name, cgroups }) => [
    name,
    cgroups.map(({ path, empty }) => [path, empty]),
  ]);
  assert.deepEqual(seen, [
    [ONE, [[join(parent, ONE), false]]],
    [OTHER, [[join(parent, OTHER), true]]],
  ]);
  await killKeeper(keeper);
  await endOrphan(keeper.qemu);
  const { directory } = await traceOf(host.dir, ONE);
  assert.ok(directory);
  assert.equal(await removeOrphanDirectory(directory), "");
  assert.ok(!existsSync(join(parent, ONE)));
  await rmdir(join(parent, OTHER));
  assert.deepEqual(processesOf(join(host.dir, ONE)), []);
});

test("a keeper that cannot be looked at is not taken for gone", async (t) => {
  const host = await testHost(t);
  const { keeper } = await launch(host, ONE, true);

  await withoutDescriptorsFor(t, `/proc/${keeper.pid}/cmdline`, () =>
    assert.rejects(traces(host.dir), { code: "EMFILE" }),
  );
  await withoutDescriptors(t, () => assert.throws(() => identifyAny(keeper.pid)));

  const { keepers } = await traceOf(host.dir, ONE);
  assert.deepEqual(
    keepers.map(({ identity }) => identity),
    [keeper],
  );
});
