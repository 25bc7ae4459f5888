/*
 * Goal: what passes can be handed to QEMU without another thought, and what does not is named by
 * its field. Method: one good specification, spoilt in one place at a time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { GuestBoot, GuestSpec } from "./spec.js";
import { sampleDisk, sampleNic, sampleSpec } from "./spec-for-tests.js";
import { checkSpec } from "./spec-form.js";

function fields(changes: Partial<GuestSpec>): string[] {
  return checkSpec(sampleSpec(changes)).map(({ field }) => field);
}

const kernel = (changes: Partial<Extract<GuestBoot, { kind: "kernel" }>>): Partial<GuestSpec> => ({
  boot: { kind: "kernel", path: "/boot/vmlinuz", initrdPath: "", commandLine: "", ...changes },
});

const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));

const good: Record<string, Partial<GuestSpec>> = {
  "the least": { memoryBytes: 1024 * 1024 },
  "the most": {
    vcpus: 255,
    disks: many(16, (n) => sampleDisk({ diskId: `d${n}`, path: `/srv/${n}` })),
    nics: many(8, (n) => sampleNic({ nicId: `n${n}`, mac: `52:54:00:00:00:0${n}` })),
  },
  "a CPU model to be pinned later": { cpuModel: "" },
  "a CPU model with features": {
    cpuModel: "Skylake-Client-v1,-hle,+avx2,vmx=off,level=0xd,hv_relaxed",
  },
  "a path with spaces, equals signs, dashes and letters of any kind": {
    disks: [sampleDisk({ path: "/srv/-a b=c/Fähre.qcow2", format: "qcow2", readOnly: true })],
  },
  "a kernel with all it can have": kernel({
    initrdPath: "/boot/initrd.img",
    commandLine: `-a "b", c=d ${"x".repeat(2036)}`,
  }),
  firmware: { boot: { kind: "firmware", path: "/usr/share/OVMF/OVMF_CODE.fd" } },
  "a tap device": { nics: [sampleNic({ tapName: "tap-web.1_a" })] },
};

for (const [what, changes] of Object.entries(good)) {
  test(`well formed: ${what}`, () => assert.deepEqual(fields(changes), []));
}

const bad: [field: string, why: string, Partial<GuestSpec>][] = [
  ["guest_id", "empty", { guestId: "" }],
  ["guest_id", "an option", { guestId: "a,process=b" }],
  ["guest_id", "too long", { guestId: "a".repeat(65) }],
  ["guest_id", "a dash first", { guestId: "-a" }],
  ["guest_id", "a line end", { guestId: "a\n" }],
  ["machine_type", "empty", { machineType: "" }],
  ["machine_type", "an option", { machineType: "pc-q35-7.2,accel=kvm" }],
  ["cpu_model", "a comma at its end", { cpuModel: "qemu64," }],
  ["cpu_model", "a space", { cpuModel: "qemu64,+ avx" }],
  ["cpu_model", "a value too many", { cpuModel: "qemu64,a=b=c" }],
  ["cpu_model", "a line end", { cpuModel: "qemu64\n" }],
  ["cpu_model", "too long", { cpuModel: `qemu64${",+avx2".repeat(200)}` }],
  ["vcpus", "none", { vcpus: 0 }],
  ["vcpus", "too many", { vcpus: 256 }],
  ["vcpus", "a half", { vcpus: 1.5 }],
  ["vcpus", "not a number", { vcpus: Number.NaN }],
  ["memory_bytes", "none", { memoryBytes: 0 }],
  ["memory_bytes", "less than none", { memoryBytes: -1024 * 1024 }],
  ["memory_bytes", "not whole MiB", { memoryBytes: 1024 * 1024 + 1 }],
  ["memory_bytes", "more than a number holds exactly", { memoryBytes: 2 ** 60 }],
  ["disks", "too many", { disks: many(17, (n) => sampleDisk({ diskId: `d${n}`, path: `/${n}` })) }],
  ["disks[0].disk_id", "an option", { disks: [sampleDisk({ diskId: "a,b" })] }],
  ["disks[0].disk_id", "a digit first", { disks: [sampleDisk({ diskId: "0a" })] }],
  ["disks[0].disk_id", "too long", { disks: [sampleDisk({ diskId: "a".repeat(33) })] }],
  [
    "disks[1].disk_id",
    "used twice",
    { disks: [sampleDisk(), sampleDisk({ path: "/srv/other.raw" })] },
  ],
  ["disks[1].path", "used twice", { disks: [sampleDisk(), sampleDisk({ diskId: "other" })] }],
  [
    "nics",
    "too many",
    { nics: many(9, (n) => sampleNic({ nicId: `n${n}`, mac: `52:54:00:00:00:0${n}` })) },
  ],
  ["nics[0].nic_id", "a space", { nics: [sampleNic({ nicId: "a b" })] }],
  ["nics[0].mac", "too short", { nics: [sampleNic({ mac: "52:54:00:12:34" })] }],
  ["nics[0].mac", "dashes", { nics: [sampleNic({ mac: "52-54-00-12-34-56" })] }],
  ["nics[0].mac", "a group's address", { nics: [sampleNic({ mac: "01:00:5e:00:00:01" })] }],
  ["nics[0].mac", "nobody's address", { nics: [sampleNic({ mac: "00:00:00:00:00:00" })] }],
  [
    "nics[1].mac",
    "used twice, in another spelling",
    {
      nics: [
        sampleNic({ mac: "52:54:00:aa:00:01" }),
        sampleNic({ nicId: "b", mac: "52:54:00:AA:00:01" }),
      ],
    },
  ],
  ["nics[0].tap_name", "too long", { nics: [sampleNic({ tapName: "a".repeat(16) })] }],
  ["nics[0].tap_name", "a pattern for the kernel", { nics: [sampleNic({ tapName: "tap%d" })] }],
  ["nics[0].tap_name", "a path", { nics: [sampleNic({ tapName: "../tap0" })] }],
  ["nics[0].tap_name", "an option", { nics: [sampleNic({ tapName: "t,script=/x" })] }],
  ["kernel.initrd_path", "a second file and an argument", kernel({ initrdPath: "/boot/a /b" })],
  ["kernel.command_line", "too long", kernel({ commandLine: "x".repeat(2049) })],
  ["kernel.command_line", "a line end", kernel({ commandLine: "a\nb" })],
  ["kernel.command_line", "a NUL", kernel({ commandLine: "a\0b" })],
];

for (const [field, why, changes] of bad) {
  test(`refused: ${field}, ${why}`, () => assert.deepEqual(fields(changes), [field]));
}

const badPaths: Record<string, string> = {
  empty: "",
  relative: "root.raw",
  "another driver": "nbd://host/export",
  "an option": "-device",
  "a way out": "/srv/ferry/../../etc/shadow",
  "a way out at its end": "/srv/ferry/..",
  "a dot": "/srv/./root",
  "two slashes": "/srv//root",
  "a directory": "/srv/ferry/",
  "the root": "/",
  "a comma": "/srv/a,/etc/shadow",
  "a line end": "/srv/root\n",
  "a NUL": "/srv/root\0.raw",
  "a C1 control character": "/srv/\u0085",
  "too long": `/${"x".repeat(4095)}`,
};

for (const [why, path] of Object.entries(badPaths)) {
  test(`a path is refused wherever it stands: ${why}`, () => {
    assert.deepEqual(fields({ disks: [sampleDisk({ path })] }), ["disks[0].path"]);
    assert.deepEqual(fields({ boot: { kind: "firmware", path } }), ["firmware.path"]);
    assert.deepEqual(fields(kernel({ path })), ["kernel.path"]);
    if (path !== "") {
      assert.deepEqual(fields(kernel({ initrdPath: path })), ["kernel.initrd_path"]);
    }
  });
}

test("a list that is too long is told as that, and not looked through: that may take minutes", () => {
  const disks = many(17, () => sampleDisk({ diskId: "", path: "/same" }));
  const nics = many(9, () => sampleNic({ nicId: "", mac: "" }));
  assert.deepEqual(fields({ disks, nics }), ["disks", "nics"]);
});

test("every problem is told, not only the first", () => {
  assert.deepEqual(
    fields({ guestId: "", vcpus: 0, memoryBytes: 1, nics: [sampleNic({ mac: "", nicId: "" })] }),
    ["guest_id", "vcpus", "memory_bytes", "nics[0].nic_id", "nics[0].mac"],
  );
});
