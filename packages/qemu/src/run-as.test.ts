/* Goal: QEMU is given what its user needs and nothing else. Real files, real users; root only. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { writePskFile } from "./psk.js";
import { findUser, giveToQemu, qemuDirectory, runAsArguments } from "./run-as.js";
import { makeRunDirectory } from "./run-directory.js";

const KEY = "00112233445566778899aabbccddeeff";
const NOBODY = await findUser("nobody");
const asRoot = { skip: process.getuid?.() === 0 ? false : "only root may give files away" };

function runDirectory(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "ferry-run-as-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return join(dir, "guest");
}

function ownership(path: string): [uid: number, gid: number, mode: string] {
  const { uid, gid, mode } = statSync(path);
  return [uid, gid, (mode & 0o777).toString(8)];
}

test("the option is the one that QEMU's version has", () => {
  const argumentsOf = (version: string) => runAsArguments({ user: NOBODY, version });
  for (const version of ["7.2.22", "8.0.0", "9.0.4"]) {
    assert.deepEqual(argumentsOf(version), ["-runas", "nobody"], version);
  }
  for (const version of ["9.1.0", "10.0.2", "11.1.0"]) {
    assert.deepEqual(argumentsOf(version), ["-run-with", "user=nobody"], version);
  }
});

test("a user that is none, or is root, is refused in words", async () => {
  await assert.rejects(findUser("ferry-none"), /no user ferry-none .*useradd --system/);
  await assert.rejects(findUser("root"), /is root/);
});

test("QEMU may write in its own directory alone, and read its keys", asRoot, async (t) => {
  const runDir = runDirectory(t);
  await makeRunDirectory(runDir, NOBODY);
  const keys = join(runDir, "keys");
  await writePskFile(keys, KEY, runDir);
  assert.deepEqual(ownership(runDir), [0, 0, "711"]);
  assert.deepEqual(ownership(qemuDirectory(runDir)), [NOBODY.uid, NOBODY.gid, "700"]);
  assert.deepEqual(ownership(keys), [0, NOBODY.gid, "750"]);
  assert.deepEqual(ownership(join(keys, "keys.psk")), [0, NOBODY.gid, "640"]);
  const socket = join(runDir, "outgoing");
  writeFileSync(socket, "");
  await giveToQemu(runDir, socket, "connect");
  assert.deepEqual(ownership(socket), [0, NOBODY.gid, "660"]);
});

test("without a user everything stays ours alone", asRoot, async (t) => {
  const runDir = runDirectory(t);
  await makeRunDirectory(runDir);
  await writePskFile(join(runDir, "keys"), KEY, runDir);
  assert.deepEqual(ownership(runDir), [0, 0, "700"]);
  assert.deepEqual(ownership(qemuDirectory(runDir)), [0, 0, "700"]);
  assert.deepEqual(ownership(join(runDir, "keys", "keys.psk")), [0, 0, "600"]);
});
