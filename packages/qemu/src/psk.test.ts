import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { writePskFile } from "./psk.js";

const KEY = "00112233445566778899aabbccddeeff";

test("a key is written for its owner alone, and replaced by the next one", async (t) => {
  const dir = join(await mkdtemp(join(tmpdir(), "ferry-psk-")), "keys");
  t.after(() => rm(join(dir, ".."), { recursive: true }));

  await writePskFile(dir, "ff".repeat(32));
  await writePskFile(dir, KEY);

  assert.equal(await readFile(join(dir, "keys.psk"), "utf8"), `qemu:${KEY}\n`);
  assert.deepEqual((await readdir(dir)).sort(), ["dh-params.pem", "keys.psk"]);
  assert.equal((await stat(dir)).mode & 0o777, 0o700);
  assert.equal((await stat(join(dir, "keys.psk"))).mode & 0o777, 0o600);
});

test("no key is left for a guest that is gone, whose run directory was removed", async (t) => {
  const runDir = join(await mkdtemp(join(tmpdir(), "ferry-psk-")), "run");
  t.after(() => rm(join(runDir, ".."), { recursive: true }));

  await assert.rejects(writePskFile(join(runDir, "keys"), KEY), { code: "ENOENT" });

  assert.deepEqual(await readdir(join(runDir, "..")), []);
});

test("what is no key is refused without being shown", async () => {
  for (const bad of ["", "00", `${KEY}0`, `${KEY}\nroot:00`, "zz".repeat(16), "00".repeat(65)]) {
    await assert.rejects(writePskFile("/nonexistent", bad), (error: Error) => {
      assert.match(error.message, /16 to 64 bytes in hexadecimal/);
      assert.ok(bad.length < 3 || !error.message.includes(bad));
      return true;
    });
  }
});
