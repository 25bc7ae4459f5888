import assert from "node:assert/strict";
import { readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { launchQemu } from "./launch.js";
import { removeRunDirectory } from "./run-directory.js";
import { withoutDescriptors } from "./test-descriptors.js";
import { processesOf, QEMU, testHost, until } from "./test-host.js";

test("a QEMU that refuses its command line tells why in its own words", async (t) => {
  const host = await testHost(t);
  const keeper = await host.launch("a", { argv: ["-M", "no-such-machine"] });
  const death = await keeper.reaped;
  assert.equal(death.exitCode, 1);
  assert.match(death.summary, /exited with code 1; it wrote: .*unsupported machine type/);
});

test("a QEMU that is not there is told by its name", async (t) => {
  const host = await testHost(t);
  const summary = await host.launch("a", { binary: "/nonexistent/qemu" }).then(
    async ({ reaped }) => (await reaped).summary,
    (error: Error) => error.message, // it was over before it could be named
  );
  assert.match(summary, /\/nonexistent\/qemu: (not found|No such file)/);
});

test("a keeper that cannot start leaves nothing behind and says why", async (t) => {
  const host = await testHost(t);
  await assert.rejects(
    host.launch("a", { keeperPath: join(host.dir, "no-keeper.sh") }),
    /not launched: its keeper did not start; it wrote: .*no-keeper\.sh/,
  );
  await host.launch("b");
  await assert.rejects(
    host.launch("b", { runDir: join(host.dir, "b") }), // somebody lives there
    /not launched: cannot make .*keeper\.fifo/,
  );
});

test("a keeper for whose line no descriptor is left is refused in words, and ends nobody", async (t) => {
  const host = await testHost(t);
  const runDir = await host.runDir("a");
  // One for the log, and too few for a pair of sockets.
  for (const free of [0, 1, 2, 3, 4]) {
    await withoutDescriptors(t, () => assert.rejects(host.launch("a", { runDir }), /EMFILE/), free);
  }
  await host.launch("a", { runDir });
});

test("a keeper for which no process is left is refused in words, and starts once there is one", async (t) => {
  const cgroup = await mkdtemp("/sys/fs/cgroup/pids/ferry-test-").catch(() => undefined);
  if (cgroup === undefined) {
    t.skip("NOT TESTED: no cgroup for pids can be made here");
    return;
  }
  const host = await testHost(t);
  const enter = (group: string) => writeFileSync(join(group, "cgroup.procs"), `${process.pid}`);
  const before = /^[0-9]+:pids:(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/";
  const leave = () => {
    enter(join("/sys/fs/cgroup/pids", before));
    rmdirSync(cgroup);
  };
  writeFileSync(join(cgroup, "pids.max"), "1");
  enter(cgroup); // one that is full already can be entered, and nothing can be started in it
  try {
    const refusal = /not launched: its keeper did not start \(spawn .* EAGAIN\)/;
    await assert.rejects(host.launch("a"), refusal);
  } finally {
    leave();
  }
  await host.launch("a");
});

test("a path too long for a socket is refused before anything is started", async (t) => {
  const host = await testHost(t);
  const runDir = join(host.dir, "x".repeat(80));
  await assert.rejects(host.launch("a", { runDir }), /choose a shorter run_dir/);
  assert.deepEqual(processesOf(host.dir), []);
});

test("nothing is started or removed where a QEMU still lives", async (t) => {
  const host = await testHost(t);
  const { keeper, qemu } = await host.launch("a");
  process.kill(keeper.pid, "SIGKILL"); // nobody guards it, and perhaps nobody has a record of it
  const refusal = new RegExp(`a QEMU \\(pid ${qemu.pid}\\) still lives in .*/a: .* left alone`);
  await assert.rejects(host.runDir("a"), refusal);
  await assert.rejects(removeRunDirectory(join(host.dir, "a")), refusal);
});

test("no shell reads QEMU's arguments, and nothing of the agent's environment reaches it", async (t) => {
  const host = await testHost(t);
  process.env.FERRY_TEST_SECRET = "hush";
  const odd = [
    "-c",
    'printf "%s|" "$@" "$FERRY_TEST_SECRET"; exit 3',
    "sh",
    "a b",
    "$(id)",
    "'\"",
    "*",
    "",
  ];
  const runDir = await host.runDir("a");
  const keeper = await launchQemu({
    runDir,
    binary: "/bin/sh",
    keeperPath: host.keeperPath,
    cgroups: [],
    argv: odd,
  });
  const { summary } = await keeper.reaped;
  assert.ok(summary.endsWith(`it wrote: a b|$(id)|'"|*|||`), summary);
});

test("an agent can tell every end of many guests at once", async (t) => {
  const host = await testHost(t);
  const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const keepers = await Promise.all(names.map((name) => host.launch(name, { binary: QEMU })));
  await Promise.all(keepers.map((keeper) => keeper.kill()));
  await until(() => processesOf(join(host.dir, "a")).length === 0, "all are gone");
});
