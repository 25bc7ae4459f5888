/*
 * Goal: a guest is born in cgroups of its own or not at all, and leaves none behind. Method: real
 * hierarchies where this machine has writable ones, and directories that refuse where it must refuse.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rmdir, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { test } from "node:test";
import { makeCgroups, removeCgroups } from "./cgroup.js";
import { processesOf, testHost, until } from "./test-host.js";

/** One directory per mounted hierarchy that this process may write, e.g. /sys/fs/cgroup/memory/ferry-test-x. */
async function hierarchies(): Promise<string[]> {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(" ")[4] ?? "");
  const made: string[] = [];
  for (const mount of mounts) {
    try {
      made.push(await mkdtemp(join(mount, "ferry-test-")));
    } catch {
      // read-only here
    }
  }
  return made;
}

test("a guest is born in its own cgroup in every hierarchy, and leaves none behind", async (t) => {
  const parents = await hierarchies();
  if (parents.length === 0) return t.skip("no cgroup hierarchy is writable here");
  const host = await testHost(t);
  t.after(() => Promise.all(parents.map((parent) => rmdir(parent)))); // once the host has ended

  const keeper = await host.launch("guest", { cgroups: parents });
  const groups = (pid: number) => readFileSync(`/proc/${pid}/cgroup`, "utf8").trim().split("\n");
  for (const parent of parents) {
    const path = `${basename(parent)}/guest`;
    assert.ok(
      groups(keeper.qemu.pid).some((line) => line.endsWith(path)),
      path,
    );
    assert.ok(
      groups(keeper.keeper.pid).some((line) => line.endsWith(path)),
      path,
    );
  }
  await keeper.kill();

  for (const parent of parents) {
    await until(() => !existsSync(join(parent, "guest")), `${parent}/guest is gone`);
  }
});

test("a freed guest that ends while no agent watches leaves no cgroup behind", async (t) => {
  const parents = await hierarchies();
  if (parents.length === 0) return t.skip("no cgroup hierarchy is writable here");
  const host = await testHost(t);
  t.after(() => Promise.all(parents.map((parent) => rmdir(parent)))); // once the host has ended
  const keeper = await host.launch("guest", { cgroups: parents });
  keeper.free();
  keeper.letGo();

  process.kill(keeper.qemu.pid, "SIGKILL");

  for (const parent of parents) {
    await until(() => !existsSync(join(parent, "guest")), `${parent}/guest is gone`);
  }
});

test("a keeper that cannot join a cgroup starts nothing", async (t) => {
  const host = await testHost(t);
  const parent = join(host.dir, "hierarchy");
  await mkdir(join(parent, "guest"), { recursive: true });
  await symlink("/dev/full", join(parent, "guest", "cgroup.procs")); // takes no byte, like a full cgroup

  await assert.rejects(
    host.launch("guest", { cgroups: [parent] }),
    /not launched: cannot join the cgroup .*hierarchy\/guest/,
  );

  assert.deepEqual(processesOf(host.dir), []);
});

test("a parent outside every hierarchy is refused, and says which setting is wrong", async (t) => {
  const host = await testHost(t);
  const parent = join(host.dir, "no-hierarchy");

  await assert.rejects(host.launch("guest", { cgroups: [parent] }), /qemu\.cgroups/);

  assert.deepEqual(await readdir(parent), []);
});

test("removing cgroups that are gone already is no error", async (t) => {
  const host = await testHost(t);
  const runDir = await host.runDir("guest");
  await removeCgroups(runDir);
  await makeCgroups([], runDir);
  await removeCgroups(runDir);
});
