/*
 * Goal: guests run from a copy of QEMU that stays as long as anybody may need it, and no longer. Method:
 * small bundles whose "QEMU" is a program of Debian's that waits, copied, used, locked and swept.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { installQemu, removeUnusedQemus } from "./bundle.js";
import { withoutDescriptorsFor } from "./test-descriptors.js";

const OLD = "0".repeat(16);
const NEW = "f".repeat(16);

async function bundles(t: TestContext) {
  const root = await mkdtemp(join(tmpdir(), "ferry-bundle-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  return {
    dir: join(root, "installed"),
    async bundle(digest: string): Promise<string> {
      const path = join(root, `bundle-${digest}`);
      await mkdir(join(path, "usr/bin"), { recursive: true });
      await mkdir(join(path, "usr/share/qemu"), { recursive: true });
      await copyFile("/bin/sleep", join(path, "usr/bin/qemu-system-x86_64"));
      await writeFile(join(path, "usr/share/qemu/rom.bin"), "rom");
      await writeFile(join(path, "digest"), `${digest}\n`);
      return path;
    },
  };
}

test("a bundle is copied whole under its hash, once, by two agents at the same time", async (t) => {
  const { dir, bundle } = await bundles(t);
  const from = await bundle(OLD);
  const [one, two] = await Promise.all([installQemu(from, dir), installQemu(from, dir)]);
  assert.equal(one.binary, join(dir, OLD, "usr/bin/qemu-system-x86_64"));
  assert.equal(two.binary, one.binary);
  assert.equal(await readFile(join(dir, OLD, "usr/share/qemu/rom.bin"), "utf8"), "rom");
  assert.deepEqual(readdirSync(dir).sort(), [OLD, `${OLD}.lock`]);
});

test("a copy is kept while an agent holds it, and then while a guest runs from it", async (t) => {
  const { dir, bundle } = await bundles(t);
  const old = await installQemu(await bundle(OLD), dir);
  const current = await installQemu(await bundle(NEW), dir);
  assert.deepEqual(await removeUnusedQemus(dir), []); // held

  const guest = spawn(old.binary, ["600"], { argv0: "some-other-name" });
  t.after(() => guest.kill("SIGKILL"));
  await once(guest, "spawn");
  old.release();
  assert.deepEqual(await removeUnusedQemus(dir), []); // used
  assert.ok(existsSync(old.binary));

  guest.kill("SIGKILL");
  await once(guest, "exit");
  assert.deepEqual(await removeUnusedQemus(dir), [OLD]);
  assert.deepEqual(readdirSync(dir).sort(), [NEW, `${NEW}.lock`]);
  current.release();
});

test("a keeper that is about to start it keeps a copy, too", async (t) => {
  const { dir, bundle } = await bundles(t);
  const { binary, release } = await installQemu(await bundle(OLD), dir);
  release();
  const keeper = spawn("/bin/sh", ["-c", "read -r line", "keeper", binary], { stdio: "pipe" });
  t.after(() => keeper.kill("SIGKILL"));
  await once(keeper, "spawn");
  assert.deepEqual(await removeUnusedQemus(dir), []);
  await withoutDescriptorsFor(t, `/proc/${keeper.pid}/cmdline`, () =>
    assert.rejects(removeUnusedQemus(dir), { code: "EMFILE" }),
  );
  assert.ok(existsSync(binary));
  keeper.stdin.end();
  await once(keeper, "exit");
  assert.deepEqual(await removeUnusedQemus(dir), [OLD]);
});

test("a copy that an agent did not live to complete is made again, and swept when it is old", async (t) => {
  const { dir, bundle } = await bundles(t);
  await mkdir(join(dir, "new-half", "usr"), { recursive: true });
  await mkdir(join(dir, "new-fresh"));
  const ago = new Date(Date.now() - 7_200_000);
  await utimes(join(dir, "new-half"), ago, ago);
  await installQemu(await bundle(OLD), dir);
  assert.ok(existsSync(join(dir, OLD, "usr/bin/qemu-system-x86_64")));
  assert.ok(existsSync(join(dir, "new-fresh"))); // another agent may be writing it
  assert.ok(!existsSync(join(dir, "new-half")));
});

test("a folder without a QEMU is refused, and says which setting is wrong", async (t) => {
  const { dir, bundle } = await bundles(t);
  await assert.rejects(installQemu("/nonexistent", dir), /qemu\.bundle/);
  const strange = await bundle(OLD);
  await writeFile(join(strange, "digest"), "../../etc\n");
  await assert.rejects(installQemu(strange, dir), /does not say a bundle's hash/);
});

test("where nothing was installed nothing is removed", async (t) => {
  const { dir } = await bundles(t);
  assert.deepEqual(await removeUnusedQemus(dir), []);
});
