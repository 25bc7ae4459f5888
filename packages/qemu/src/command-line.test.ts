/*
 * Goal: the same specification always gives the same arguments, whatever is in it stays one value,
 * and QEMU takes them. Method: expected arguments in full, and a real QEMU for every variant.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { connect } from "@ferry/qmp";
import { type CommandLineOptions, commandLine } from "./command-line.js";
import type { GuestSpec } from "./spec.js";
import { sampleDisk, sampleNic, sampleSpec } from "./spec-for-tests.js";
import { checkSpec } from "./spec-form.js";

const options: CommandLineOptions = {
  accelerator: "tcg",
  runDir: "/run/ferry/ab",
  monitors: ["source.qmp"],
  incoming: false,
  paused: false,
  sandbox: false,
};

test("memory is no multiple of 256 KiB under TCG, and what was asked for under KVM", () => {
  const sizeOf = (accelerator: "kvm" | "tcg") => {
    const argv = commandLine(sampleSpec(), { ...options, accelerator });
    return argv[argv.indexOf("-m") + 1];
  };
  assert.equal(sizeOf("tcg"), "size=32760K");
  assert.equal(sizeOf("kvm"), "size=32M");
});

test("the plainest guest", () => {
  assert.deepEqual(commandLine(sampleSpec(), options), [
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-msg",
    "timestamp=on",
    "-name",
    "guest=web-1,debug-threads=on",
    "-machine",
    "type=pc-q35-7.2,dump-guest-core=off",
    "-accel",
    "tcg",
    "-cpu",
    "qemu64",
    "-smp",
    "cpus=1,sockets=1,cores=1,threads=1",
    "-m",
    "size=32760K",
    "-chardev",
    "socket,id=monitor-source.qmp,path=/run/ferry/ab/source.qmp,server=on,wait=off",
    "-mon",
    "chardev=monitor-source.qmp,mode=control",
    "-chardev",
    "file,id=console,path=/run/ferry/ab/console.log,append=on",
    "-serial",
    "chardev:console",
  ]);
});

/** What this specification adds to the plainest one. */
function added(changes: Partial<GuestSpec>, more: Partial<CommandLineOptions> = {}): string[] {
  const plain = new Set(commandLine(sampleSpec(), options));
  return commandLine(sampleSpec(changes), { ...options, ...more }).filter(
    (each) => !plain.has(each),
  );
}

test("disks have names, slots and a boot order of their own, and their paths are JSON", () => {
  const disks = [
    sampleDisk({ path: '/srv/a"b\\c,d=e' }),
    sampleDisk({ diskId: "seed", path: "/srv/seed", format: "qcow2", readOnly: true }),
  ];
  assert.deepEqual(added({ disks }), [
    "-blockdev",
    '{"driver":"file","node-name":"disk0-file","filename":"/srv/a\\"b\\\\c,d=e","locking":"on","read-only":false}',
    "-blockdev",
    '{"driver":"raw","node-name":"disk0","file":"disk0-file","read-only":false}',
    "-device",
    '{"driver":"virtio-blk-pci","id":"disk-root","drive":"disk0","serial":"root","bus":"pcie.0","addr":"0x03","bootindex":1}',
    "-blockdev",
    '{"driver":"file","node-name":"disk1-file","filename":"/srv/seed","locking":"on","read-only":true}',
    "-blockdev",
    '{"driver":"qcow2","node-name":"disk1","file":"disk1-file","read-only":true}',
    "-device",
    '{"driver":"virtio-blk-pci","id":"disk-seed","drive":"disk1","serial":"seed","bus":"pcie.0","addr":"0x04","bootindex":2}',
  ]);
});

test("interfaces stand behind every disk there could be, and run no script", () => {
  const nics = [
    sampleNic({ tapName: "tap0" }),
    sampleNic({ nicId: "wan", mac: "52:54:00:12:34:57" }),
  ];
  assert.deepEqual(added({ nics }), [
    "-netdev",
    '{"type":"tap","id":"net-lan","ifname":"tap0","script":"no","downscript":"no"}',
    "-device",
    '{"driver":"virtio-net-pci","id":"nic-lan","netdev":"net-lan","mac":"52:54:00:12:34:56","bus":"pcie.0","addr":"0x13","romfile":""}',
    "-netdev",
    '{"type":"user","id":"net-wan"}',
    "-device",
    '{"driver":"virtio-net-pci","id":"nic-wan","netdev":"net-wan","mac":"52:54:00:12:34:57","bus":"pcie.0","addr":"0x14","romfile":""}',
  ]);
});

test("an i440fx has another bus, and the same slots", () => {
  const spec = { machineType: "pc-i440fx-7.2", disks: [sampleDisk()] };
  assert.match(added(spec).join(" "), /"bus":"pci\.0","addr":"0x03"/);
});

test("what a kernel is told stays one argument, dashes and commas included", () => {
  const boot = {
    kind: "kernel",
    path: "/boot/vmlinuz",
    initrdPath: "/boot/initrd",
    commandLine: '-device evil,,x="y" console=ttyS0',
  } as const;
  assert.deepEqual(added({ boot }), [
    "-kernel",
    "/boot/vmlinuz",
    "-initrd",
    "/boot/initrd",
    "-append",
    '-device evil,,x="y" console=ttyS0',
  ]);
  const bare = { ...boot, initrdPath: "", commandLine: "" };
  assert.deepEqual(added({ boot: bare }), ["-kernel", "/boot/vmlinuz"]);
  assert.deepEqual(added({ boot: { kind: "firmware", path: "/f" } }), ["-bios", "/f"]);
});

test("incoming, paused, sandboxed, with several CPUs under KVM", () => {
  const more = { incoming: true, paused: true, sandbox: true, accelerator: "kvm" } as const;
  assert.deepEqual(added({ vcpus: 4, cpuModel: "host,-hle" }, more), [
    "-sandbox",
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    "kvm",
    "host,-hle",
    "cpus=4,sockets=1,cores=4,threads=1",
    "size=32M",
    "-incoming",
    "defer",
    "-S",
  ]);
});

test("a comma in the run directory ends no option", () => {
  const argv = commandLine(sampleSpec(), { ...options, runDir: "/run/a,b" });
  assert.ok(argv.includes("file,id=console,path=/run/a,,b/console.log,append=on"));
  assert.ok(
    argv.includes("socket,id=monitor-source.qmp,path=/run/a,,b/source.qmp,server=on,wait=off"),
  );
});

test("a guest without a pinned CPU model is not started", () => {
  assert.throws(() => commandLine(sampleSpec({ cpuModel: "" }), options), /no CPU model/);
});

/** Starts QEMU with these arguments, asks it how it is, and lets it quit. */
async function statusOf(argv: readonly string[], runDir: string, ask = "query-status") {
  const child = spawn("qemu-system-x86_64", argv, { stdio: ["ignore", "ignore", "pipe"] });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  const giveUp = new AbortController();
  const gone = once(child, "close");
  void gone.then(() => giveUp.abort());
  try {
    const monitor = join(runDir, "source.qmp");
    const qmp = await connect(monitor, { timeoutMs: 30_000, signal: giveUp.signal });
    const answer = await qmp.execute(ask);
    await qmp.execute("quit");
    await gone;
    assert.equal(complaint, "");
    return answer;
  } catch (cause) {
    throw new Error(`QEMU complained: ${complaint}`, { cause });
  } finally {
    child.kill("SIGKILL");
    await gone;
  }
}

async function runDirectory(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "ferry-argv-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** Everything a guest can have at once, on files that are there. */
async function fullSpec(dir: string, machineType: string): Promise<GuestSpec> {
  const raw = join(dir, '-raw "a=b"');
  const qcow2 = join(dir, "image.qcow2");
  await writeFile(raw, Buffer.alloc(1024 * 1024));
  await promisify(execFile)("qemu-img", ["create", "-q", "-f", "qcow2", qcow2, "1M"]);
  const disks = Array.from({ length: 16 }, (_, index) =>
    sampleDisk({ diskId: `disk-number-${index}`.padEnd(32, "_"), path: raw, readOnly: true }),
  );
  disks[0] = sampleDisk({ path: qcow2, format: "qcow2" });
  const nics = Array.from({ length: 8 }, (_, index) =>
    sampleNic({ nicId: `nic${index}`, mac: `52:54:00:00:00:0${index}` }),
  );
  return sampleSpec({
    machineType,
    disks,
    nics,
    vcpus: 2,
    cpuModel: "qemu64,+ssse3,-svm,level=0xd",
  });
}

for (const machineType of ["pc-q35-7.2", "pc-i440fx-7.2"]) {
  for (const incoming of [false, true]) {
    test(`QEMU takes a full ${machineType}, ${incoming ? "incoming" : "paused"}`, async (t) => {
      const runDir = await runDirectory(t);
      const argv = commandLine(await fullSpec(runDir, machineType), {
        ...options,
        runDir,
        monitors: ["source.qmp", "destination.qmp", "debug.qmp"],
        incoming,
        paused: true,
        sandbox: true,
      });
      assert.deepEqual(await statusOf(argv, runDir), {
        running: false,
        singlestep: false,
        status: incoming ? "inmigrate" : "prelaunch",
      });
    });
  }
}

test("QEMU takes a firmware and a kernel, and boots at once unless told to pause", async (t) => {
  const runDir = await runDirectory(t);
  const firmware = join(runDir, "firmware");
  await writeFile(firmware, Buffer.alloc(64 * 1024, 0xf4)); // the guest halts at its first step
  const kernel = join(runDir, "kernel");
  await writeFile(kernel, multibootKernel());
  for (const boot of [
    { kind: "firmware", path: firmware },
    { kind: "kernel", path: kernel, initrdPath: firmware, commandLine: "-S, -device evil" },
  ] as const) {
    const spec = sampleSpec({ boot });
    assert.deepEqual(checkSpec(spec), []);
    const status = await statusOf(commandLine(spec, { ...options, runDir }), runDir);
    assert.deepEqual(status, { running: true, singlestep: false, status: "running" });
  }
});

/** The least that QEMU loads as a multiboot kernel: a header with addresses, and a halt. */
function multibootKernel(): Buffer {
  const words = [0x1badb002, 0x10000, -(0x1badb002 + 0x10000) | 0];
  const address = 0x100000;
  const kernel = Buffer.alloc(4096, 0xf4);
  [...words, address, address, 0, 0, address + 32].forEach((word, index) => {
    kernel.writeInt32LE(word | 0, index * 4);
  });
  return kernel;
}
