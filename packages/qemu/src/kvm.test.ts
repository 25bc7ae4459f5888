/*
 * Goal: KVM counts as working only if a guest ran. Method: the guest itself is shown to work under
 * TCG, which every host has; whatever KVM does here, the answer must fit it; and programs that are
 * no QEMU must not pass for one.
 */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { probeAccelerator, probeKvm } from "./kvm.js";

const QEMU = "qemu-system-x86_64";

async function script(t: TestContext, text: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "ferry-kvm-test-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, "qemu");
  await writeFile(path, `#!/bin/sh\n${text}\n`, { mode: 0o700 });
  return path;
}

test("the guest enters long mode, counts, and is heard of: under TCG", async () => {
  const options = { accelerator: "tcg", cpuModel: "max", timeoutMs: 60_000 } as const;
  assert.deepEqual(await probeAccelerator(QEMU, options), { works: true, reason: "a guest ran" });
});

test("KVM here: a guest ran, or there is a reason, and nothing is left behind", async () => {
  const before = await readdir(tmpdir());
  const { works, reason } = await probeKvm(QEMU);
  assert.equal(works, reason === "a guest ran");
  assert.notEqual(reason, "");
  const left = (await readdir(tmpdir())).filter((name) => /^ferry-kvm-[^t]/.test(name));
  assert.deepEqual(
    left.filter((name) => !before.includes(name)),
    [],
  );
});

test("a QEMU that ends by itself is quoted", async (t) => {
  const path = await script(t, "echo 'Could not access KVM kernel module' >&2; exit 1");
  const { works, reason } = await probeKvm(path);
  assert.equal(works, false);
  assert.match(reason, /exit code 1 and said: Could not access KVM kernel module/);
});

test("a guest that gets nowhere is killed when its time is up", async (t) => {
  const path = await script(t, "exec sleep 60");
  const options = { accelerator: "kvm", cpuModel: "host", timeoutMs: 50 } as const;
  assert.deepEqual(await probeAccelerator(path, options), {
    works: false,
    reason: "a tiny guest did not get anywhere within 50 ms",
  });
});

test("no QEMU is a reason, not an error", async () => {
  const { works, reason } = await probeKvm("/nowhere/qemu");
  assert.equal(works, false);
  assert.match(reason, /there is no \/nowhere\/qemu/);
});
