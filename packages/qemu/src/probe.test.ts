/* Goal: what QEMU can do is what it says, and no QEMU is an error that says what to do. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { probeQemu } from "./probe.js";

const QEMU = "qemu-system-x86_64";

async function script(t: TestContext, text: string, mode: number): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "ferry-probe-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, "qemu");
  await writeFile(path, `#!/bin/sh\n${text}\n`, { mode });
  return path;
}

test("QEMU tells its version, its versioned machine types, and what it can do", async () => {
  const probe = await probeQemu(QEMU);
  assert.match(probe.version, /^\d+\.\d+\.\d+$/);
  const newest = probe.machineAliases.q35 ?? "";
  assert.match(newest, /^pc-q35-\d+\.\d+$/);
  assert.ok(probe.machineTypes.includes(newest));
  assert.ok(probe.machineTypes.includes(probe.machineAliases.pc ?? ""));
  for (const other of ["q35", "pc", "none", "microvm", "isapc"]) {
    assert.ok(!probe.machineTypes.includes(other), other);
  }
  assert.ok(probe.migrationCapabilities.includes("pause-before-switchover"));
});

test("an alias nobody has is not found, not even one every object has", async () => {
  const { machineAliases } = await probeQemu(QEMU);
  assert.equal(machineAliases.constructor, undefined);
});

test("a QEMU that is not there", async () => {
  await assert.rejects(probeQemu("/nowhere/qemu"), {
    message:
      "there is no /nowhere/qemu. Install qemu-system-x86, or name a QEMU for x86_64 in qemu.binary",
  });
});

test("a file that cannot be executed", async (t) => {
  const path = await script(t, "", 0o600);
  await assert.rejects(probeQemu(path), /is not executable by this user\. Install qemu-system-x86/);
});

test("a program that ends at once is quoted", async (t) => {
  const path = await script(t, "echo 'no such machine' >&2; exit 3", 0o700);
  await assert.rejects(probeQemu(path), /exit code 3 and said: no such machine\. Install qemu/);
});

test("a program that is no QEMU", async (t) => {
  const path = await script(t, "echo hello >&3; exec sleep 60", 0o700);
  await assert.rejects(probeQemu(path), /does not answer as a QEMU\. Install qemu-system-x86/);
});
