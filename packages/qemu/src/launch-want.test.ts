/*
 * Goal: whoever starts a guest that this host cannot run is told what to mend here. Method: real QEMUs that
 * cannot start, and QEMU's words for what this machine cannot be made to lack.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { lastLines } from "./last-word.js";
import { type LaunchWant, wantedBy } from "./launch-want.js";
import { testHost } from "./test-host.js";

const PLAIN = ["-nodefaults", "-display", "none", "-S", "-accel", "tcg"];

test("a QEMU that lacks something of its host says so, and is understood", async (t) => {
  const host = await testHost(t);
  const text = join(host.dir, "text.img");
  await writeFile(text, "no image");
  const lacking: readonly (readonly [LaunchWant, readonly string[]])[] = [
    ["MACHINE_TYPE_UNKNOWN", ["-machine", "pc-q35-99.9"]],
    ["CPU_INCOMPATIBLE", ["-machine", "q35", "-cpu", "Nosuch-v9"]],
    ["ACCELERATOR_MISSING", ["-machine", "q35", "-cpu", "host"]],
    ["DISK_MISSING", ["-machine", "q35", "-drive", "file=/nonexistent.img,format=raw"]],
    ["DISK_MISSING", ["-machine", "q35", "-drive", `file=${text},format=qcow2`]],
    ["KERNEL_MISSING", ["-machine", "q35", "-kernel", "/nonexistent"]],
  ];
  for (const [index, [want, args]] of lacking.entries()) {
    const keeper = await host.launch(`g${index}`, { argv: [...PLAIN, ...args] });
    const { summary } = await keeper.reaped;
    assert.equal(wantedBy(summary), want, summary);
  }
});

test("what is said of a machine that lacks KVM, memory or a tap device is understood, too", () => {
  for (const [words, want] of [
    ["Could not access KVM kernel module: Permission denied", "ACCELERATOR_MISSING"],
    ["failed to initialize kvm: No such file or directory", "ACCELERATOR_MISSING"],
    ["cannot set up guest memory 'pc.ram': Cannot allocate memory", "MEMORY_SHORT"],
    ["could not configure /dev/net/tun (tap0): Device or resource busy", "NIC_MISSING"],
    ['Failed to get "write" lock', "DISK_MISSING"],
  ]) {
    assert.equal(wantedBy(`QEMU exited with code 1; it wrote: qemu: ${words}`), want);
  }
});

test("words that are not known ask for nothing", () => {
  for (const words of ["", "no such luck", "QEMU was ended by SIGKILL"]) {
    assert.equal(wantedBy(words), undefined);
  }
});

test("of much that was written the end is told, and no warnings where there is worse", () => {
  const warning = "qemu: warning: host doesn't support requested feature: CPUID.01H:ECX.pni\n";
  assert.equal(lastLines(`${warning.repeat(20)}qemu: no such luck\n`), "qemu: no such luck");
  assert.match(lastLines(warning.repeat(20)), /^….*pni$/);
  const last = lastLines(`${"x".repeat(5_000)}\nthe end\n`);
  assert.match(last, /^…x+; the end$/);
  assert.ok(last.length <= 320);
});
