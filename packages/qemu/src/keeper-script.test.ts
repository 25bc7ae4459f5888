import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { installKeeper } from "./keeper-script.js";

test("the script is installed once, under its hash, and never changed in place", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "ferry-keeper-"));
  t.after(() => rm(dir, { recursive: true }));

  const [path, again] = await Promise.all([installKeeper(dir), installKeeper(dir)]);
  const { ino } = await stat(path);

  assert.equal(again, path);
  assert.match(basename(path), /^keeper-[0-9a-f]{16}\.sh$/);
  assert.equal((await stat(await installKeeper(dir))).ino, ino);
  assert.deepEqual(await readdir(dir), [basename(path)]);
});

test("a torn script is replaced by another file, so that a running shell goes on reading its own", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "ferry-keeper-"));
  t.after(() => rm(dir, { recursive: true }));
  const path = await installKeeper(dir);
  const whole = await readFile(path);
  await chmod(path, 0o700);
  await writeFile(path, whole.subarray(0, 100));
  const { ino } = await stat(path);

  await installKeeper(dir);

  assert.ok((await readFile(path)).equals(whole));
  assert.notEqual((await stat(path)).ino, ino);
});

test("a directory that cannot be made is refused at once", async () => {
  await assert.rejects(installKeeper("/proc/ferry/run"), /ENOENT.*\/proc\/ferry/);
});
