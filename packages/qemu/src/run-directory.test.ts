import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeRunDirectory, removeRunDirectory } from "./run-directory.js";
import { withoutDescriptors } from "./test-descriptors.js";

test("a run directory is empty but for QEMU's own, and its owner's alone, also where a crash left one", async (t) => {
  const root = await mkdtemp(join(tmpdir(), "ferry-run-"));
  t.after(() => rm(root, { recursive: true }));
  const runDir = join(root, "guest");

  await makeRunDirectory(runDir);
  await writeFile(join(runDir, "last-word"), "0 freed itself\n");
  await makeRunDirectory(runDir);

  assert.deepEqual(await readdir(runDir), ["own"]);
  assert.equal((await stat(runDir)).mode & 0o777, 0o700);
  await removeRunDirectory(runDir);
  await removeRunDirectory(runDir);
  assert.deepEqual(await readdir(root), []);
});

test("a run directory that cannot be removed for want of a descriptor is removed once there is one", async (t) => {
  const root = await mkdtemp(join(tmpdir(), "ferry-run-"));
  t.after(() => rm(root, { recursive: true }));
  const runDir = join(root, "guest");
  await makeRunDirectory(runDir);
  let removed: Promise<void> | undefined;
  await withoutDescriptors(t, async () => {
    removed = removeRunDirectory(runDir);
    await assert.rejects(readdir(root), { code: "EMFILE" }); // by then the first try has failed, too
  });
  await removed;
  assert.deepEqual(await readdir(root), []);
});

test("a path whose sockets the kernel would not open is refused, and says what to change", async () => {
  await assert.rejects(
    makeRunDirectory(`/run/${"x".repeat(90)}`),
    /stay under 108: choose a shorter run_dir/,
  );
  await assert.rejects(makeRunDirectory("run/guest"), /must be absolute/);
  await removeRunDirectory(""); // a guest that never had one
});
