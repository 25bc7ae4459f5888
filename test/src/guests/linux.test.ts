/*
 * Goal: the Linux guest boots, counts, and keeps its numbers on its disk. Method: one real boot under a
 * bare QEMU, and consoles written by hand for what must never be believed.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "../harness/until.js";
import { BareQemu } from "./bare-qemu.js";
import { ramdisk } from "./cpio.js";
import { linuxGuest, readLinux } from "./linux.js";

test("it boots, counts, and writes its numbers on its disk", async (t) => {
  const guest = await linuxGuest();
  const dir = mkdtempSync(join(tmpdir(), "ferry-linux-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const disk = join(dir, "disk");
  writeFileSync(disk, Buffer.alloc(1 << 20));
  const qemu = BareQemu.start({
    kernel: guest.kernelPath,
    initrd: guest.initrdPath,
    commandLine: guest.commandLine,
    memoryMib: guest.memoryBytes / 1024 / 1024,
    extra: ["-drive", `file=${disk},if=virtio,format=raw`],
  });
  t.after(() => qemu.remove());
  const reading = await until(
    "twenty numbers, the last one on the disk",
    () => {
      if (!existsSync(qemu.consolePath)) return false;
      const read = readLinux(readFileSync(qemu.consolePath, "latin1"));
      return read.onDisk >= 20 && read;
    },
    60_000,
  );
  assert.match(reading.version ?? "", /^\d+\.\d+/);
  assert.match(readFileSync(disk, "latin1"), /^count \d+\n/);
});

test("a number skipped, a reset and lost memory are told", () => {
  const start = "hello 6.1\r\ncount 000001\r\n";
  assert.equal(readLinux(start).count, 1);
  assert.throws(() => readLinux(`${start}count 000003\r\n`), /after count 1/);
  assert.throws(() => readLinux(`${start}hello 6.1\r\n`), /reset/);
  assert.throws(() => readLinux(`${start}bad memory\r\n`), /bad memory/);
});

test("an entry of a ramdisk is padded to four bytes, and the trailer ends it", () => {
  const archive = ramdisk([{ name: "a", contents: Buffer.from("xyz") }]).toString("latin1");
  assert.equal(archive.length % 4, 0);
  assert.equal(archive.indexOf("xyz"), 112); // a header of 110 bytes, "a" and its zero
  assert.match(archive, /^070701.*TRAILER!!!\0+$/s);
});
