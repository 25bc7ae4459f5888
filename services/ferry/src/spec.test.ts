/* Goal: a guest's specification comes out of a file, flags, or both; what is wrong is named. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Accelerator, DiskFormat } from "@ferry/contract";
import { parseDisk, parseNic, readSpec } from "./spec.js";

const directory = mkdtempSync(join(tmpdir(), "ferry-spec-"));
after(() => rmSync(directory, { recursive: true }));

function write(text: string, name = "vm1.yaml"): string {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}

test("flags alone make a guest", () => {
  const spec = readSpec(undefined, {
    name: "vm1",
    memory: 2 ** 28,
    kernel: "/boot/vmlinuz",
    initrd: "/boot/initrd",
    append: "console=ttyS0",
    disk: parseDisk("/srv/ferry/a,format=qcow2,ro", parseDisk("/srv/ferry/b,format=raw,id=data")),
    nic: parseNic("52:54:00:12:34:56,tap=tap0"),
    accel: "tcg",
  });
  assert.equal(spec.guestId, "vm1");
  assert.equal(spec.memoryBytes, 268_435_456n);
  assert.equal(spec.vcpus, 1);
  assert.equal(spec.accelerator, Accelerator.TCG);
  assert.deepEqual(spec.boot, {
    $case: "kernel",
    value: { path: "/boot/vmlinuz", initrdPath: "/boot/initrd", commandLine: "console=ttyS0" },
  });
  assert.deepEqual(spec.disks, [
    { diskId: "data", path: "/srv/ferry/b", format: DiskFormat.RAW, readOnly: false },
    { diskId: "disk1", path: "/srv/ferry/a", format: DiskFormat.QCOW2, readOnly: true },
  ]);
  assert.deepEqual(spec.nics, [{ nicId: "net0", mac: "52:54:00:12:34:56", tapName: "tap0" }]);
});

test("a file alone does, in YAML or JSON, and flags win over it", () => {
  const yaml = write("guest_id: vm1\nmemory: 256M\nkernel: {path: /boot/k, command_line: quiet}");
  assert.equal(readSpec(yaml, {}).memoryBytes, 268_435_456n);
  const json = write('{"guest_id": "vm1", "memory_bytes": 1048576}', "vm1.json");
  const spec = readSpec(json, { memory: 2 ** 21, name: "vm2" });
  assert.equal(spec.memoryBytes, 2_097_152n);
  assert.equal(spec.guestId, "vm2");
  const appended = readSpec(yaml, { append: "panic=1" });
  assert.deepEqual(appended.boot, {
    $case: "kernel",
    value: { path: "/boot/k", initrdPath: "", commandLine: "panic=1" },
  });
});

test("what is wrong is named, all of it", () => {
  const file = write("memory: lots\ndisks: [{disk_id: a, path: rel, format: vmdk}]\nram: 1");
  assert.throws(
    () => readSpec(file, {}),
    /guest_id: [\s\S]*memory: [\s\S]*disks\.0\.path: an absolute path/,
  );
  assert.throws(() => readSpec(file, {}), /disks\.0\.format: raw or qcow2/);
  assert.throws(() => readSpec(file, {}), /ram/);
  assert.throws(() => readSpec(undefined, { name: "vm1" }), /memory is wanted/);
  assert.throws(() => readSpec(write("[]"), {}), /holds no specification/);
  assert.throws(() => readSpec(join(directory, "none"), {}), /cannot be read/);
});

test("a disk's format is never guessed, and unknown words are refused", () => {
  assert.throws(() => parseDisk("/srv/a"), /format=qcow2/);
  assert.throws(() => parseDisk("a,format=raw"), /absolute/);
  assert.throws(() => parseDisk("/a,format=raw,cache=none"), /"cache" is not one of/);
  assert.throws(() => parseNic("tap0"), /52:54:00/);
});
