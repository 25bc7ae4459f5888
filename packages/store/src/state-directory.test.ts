/*
 * Goal: a state directory has one agent of a role, and never somebody else's. Method: other agents
 * are real processes, killed for real.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { chown, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { StoreRefused } from "./errors.js";
import { openStateDirectory } from "./state-directory.js";

/** This file, run again as another agent: takes the lock, says so, and waits to be killed. */
if (process.argv[2] === "hold") {
  openStateDirectory(process.argv[3] ?? "", process.argv[4] ?? "");
  process.send?.("held");
  setInterval(() => {}, 1_000);
  process.once("disconnect", () => process.exit());
} else {
  describe("a state directory", tests);
}

function tests(): void {
  let parent: string;
  let path: string;
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), "ferry-state-"));
    path = join(parent, "state");
  });
  afterEach(() => rm(parent, { recursive: true, force: true }));

  test("is made with all it needs, for its owner alone", async () => {
    openStateDirectory(path, "source").release();
    const names = await readdir(path);
    assert.deepEqual(names, ["arrivals", "departures", "endings", "guests", "source.lock"]);
    assert.equal((await stat(path)).mode & 0o777, 0o700);
  });

  test("has one agent of a role: a second one is refused, and told who has it", async (t) => {
    const other = await holder(t, path, "source");
    assert.throws(
      () => openStateDirectory(path, "source"),
      (error) => error instanceof StoreRefused && error.message.includes(`(pid ${other.pid})`),
    );
  });

  test("has room for the other role", async (t) => {
    await holder(t, path, "source");
    openStateDirectory(path, "destination").release();
  });

  test("is free as soon as its agent was killed", async (t) => {
    const other = await holder(t, path, "source");
    other.kill("SIGKILL");
    await once(other, "exit");
    openStateDirectory(path, "source").release();
  });

  test("is free once its agent let go, and then again its own", () => {
    openStateDirectory(path, "source").release();
    const lock = openStateDirectory(path, "source");
    assert.throws(() => openStateDirectory(path, "source"), StoreRefused);
    lock.release();
  });

  test("is not held on by what its agent started", async (t) => {
    const lock = openStateDirectory(path, "source");
    const child = fork(fileURLToPath(import.meta.url), ["hold", join(parent, "other"), "source"]);
    t.after(() => end(child));
    await once(child, "message");
    lock.release();
    openStateDirectory(path, "source").release();
  });

  test("says what to install where flock(1) is missing", (t) => {
    const { PATH } = process.env;
    t.after(() => {
      process.env.PATH = PATH;
    });
    process.env.PATH = parent;
    assert.throws(() => openStateDirectory(path, "source"), /install util-linux/);
  });

  test("of another user is refused", async (t) => {
    if (process.getuid?.() !== 0) {
      t.skip("NOT TESTED: giving a directory away takes root");
      return;
    }
    await mkdir(path);
    await chown(path, 12_345, 0);
    assert.throws(() => openStateDirectory(path, "source"), /belongs to user id 12345/);
  });

  test("on two mounts is refused: a guest could not land", async (t) => {
    await mkdir(join(path, "guests"), { recursive: true });
    try {
      execFileSync("mount", ["-t", "tmpfs", "ferry-test", join(path, "guests")], { stdio: "pipe" });
    } catch {
      t.skip("NOT TESTED: this machine forbids mounting");
      return;
    }
    try {
      assert.throws(() => openStateDirectory(path, "source"), /on one mount/);
    } finally {
      execFileSync("umount", ["--lazy", join(path, "guests")]);
    }
  });

  test("where none can be made is refused, and at once", () => {
    assert.throws(() => openStateDirectory("/proc/ferry/state", "source"), /\/proc\/ferry/);
  });

  test("that is a file is refused", async () => {
    await writeFile(path, "");
    assert.throws(() => openStateDirectory(path, "source"), /is not a directory/);
    assert.throws(() => openStateDirectory(join(path, "below"), "source"), /is not a directory/);
  });
}

async function holder(t: TestContext, path: string, role: string): Promise<ChildProcess> {
  const child = fork(fileURLToPath(import.meta.url), ["hold", path, role]);
  t.after(() => end(child));
  await once(child, "message");
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
