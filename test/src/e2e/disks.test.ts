/*
 * Goal: a guest's disk goes with it: what it wrote before a move is there after it, and both hosts never
 * write at once. Method: a real Linux writes its numbers on a shared image, and reads each one back from
 * the disk before the next; QEMU's own lock on the image is the judge of the second half.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { type Disk, DiskFormat } from "@ferry/contract";
import { type LinuxGuest, linuxGuest, readLinux } from "../guests/linux.js";
import { linuxSpec, TestGuest } from "../harness/guests.js";
import { Hosts } from "../harness/hosts.js";
import { move } from "../harness/move.js";
import { until } from "../harness/until.js";

let hosts: Hosts;
let linux: LinuxGuest;
before(async () => {
  linux = await linuxGuest();
  hosts = await Hosts.start({ patient: true, allowedPaths: [dirname(linux.kernelPath)] });
  mkdirSync(join(hosts.dir, "shared"));
});
after(() => hosts.close());

for (const format of ["raw", "qcow2"] as const) {
  test(`a Linux guest takes its ${format} disk along, there and back`, async () => {
    const [one, two] = hosts.pair;
    const guestId = `disk-${format}`;
    const path = join(hosts.dir, "shared", `${guestId}.img`);
    execFileSync("qemu-img", ["create", "-q", "-f", format, path, "4M"]);
    const guest = await TestGuest.start(one, linuxSpec(guestId, linux, [disk(path, format)]));
    await writesOn(guest);

    const there = await move(guestId, one, two);
    assert.equal(there.verdict, "landed", JSON.stringify(there.why));
    await guest.livesAt(two);
    await writesOn(guest);
    assert.equal(lockedAgainstWriters(path, format), true);

    const back = await move(guestId, two, one, { transport: "tunnel" });
    assert.equal(back.verdict, "landed", JSON.stringify(back.why));
    await guest.livesAt(one);
    const { onDisk } = await writesOn(guest);
    await one.client.guests.stop(guestId, { graceMs: 0 });

    assert.equal(lockedAgainstWriters(path, format), false);
    assert.ok(numberOn(path, format) >= onDisk, "what the guest was told is on the disk is not");
    assert.deepEqual(hosts.leftovers(), []);
  });
}

function disk(path: string, format: "raw" | "qcow2"): Disk {
  const wire = format === "raw" ? DiskFormat.RAW : DiskFormat.QCOW2;
  return { diskId: "root", path, format: wire, readOnly: false };
}

/** Waits until the guest wrote two more numbers: the second one proves that it could read the first. */
function writesOn(guest: TestGuest) {
  const from = readLinux(guest.consoles.text()).onDisk;
  return until(
    `${guest.guestId} to write on its disk`,
    () => {
      const reading = readLinux(guest.consoles.text());
      return reading.onDisk >= from + 20 && reading;
    },
    90_000,
  );
}

/** Whether somebody holds the image for writing: qemu-img may not then. */
function lockedAgainstWriters(path: string, format: string): boolean {
  try {
    const write = ["-f", format, "-c", "write -q 1M 512", path];
    execFileSync("qemu-io", write, { stdio: ["ignore", "ignore", "pipe"] });
    return false;
  } catch (error) {
    assert.match(String((error as { stderr?: unknown }).stderr), /lock/);
    return true;
  }
}

/** The number in the first sector. */
function numberOn(path: string, format: string): number {
  const raw = `${path}.raw`;
  execFileSync("qemu-img", ["convert", "-f", format, "-O", "raw", path, raw]);
  return Number(/^count (\d+)\n/.exec(readFileSync(raw, "latin1"))?.[1] ?? 0);
}
