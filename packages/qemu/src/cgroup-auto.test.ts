/*
 * Goal: a guest is placed outside of every container, on every kind of machine. Method: what
 * /proc/self/mountinfo says on each of them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cgroupsEverywhere } from "./cgroup-auto.js";

const HYBRID = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw`;

test("every hierarchy of a hybrid machine gets a folder", () => {
  assert.deepEqual(cgroupsEverywhere(HYBRID), [
    "/sys/fs/cgroup/cpu,cpuacct/ferry",
    "/sys/fs/cgroup/memory/ferry",
    "/sys/fs/cgroup/systemd/ferry",
    "/sys/fs/cgroup/unified/ferry",
  ]);
});

test("a machine with cgroup v2 has one", () => {
  const v2 = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
  assert.deepEqual(cgroupsEverywhere(v2), ["/sys/fs/cgroup/ferry"]);
});

test("a container's own cgroup is passed over for the machine's", () => {
  const v1 = `900 880 0:32 /kubepods/pod1/c1 /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory
905 880 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory`;
  assert.deepEqual(cgroupsEverywhere(v1), ["/sys/fs/cgroup/memory/ferry"]);
  const v2 = `900 880 0:30 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw
905 880 0:30 /../../.. /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw`;
  assert.deepEqual(cgroupsEverywhere(v2), ["/sys/fs/cgroup/ferry"]);
});

test("a hierarchy that may not be written, or is mounted elsewhere, is left out", () => {
  const text = `1 0 0:30 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw
2 0 0:31 / /mnt/cgroup rw - cgroup2 cgroup rw
3 0 0:32 /kubepods/pod1 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory`;
  assert.deepEqual(cgroupsEverywhere(text), []);
});
