import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { type Disk, realDisk } from "@ferry/store";
import { measuredDisk } from "./measured-disk.js";
import { makeMetrics } from "./metrics.js";

function setUp(refusal?: string) {
  const metrics = makeMetrics({ role: "source", process: false });
  const step = async () => {
    if (refusal !== undefined) throw Object.assign(new Error(refusal), { code: refusal });
  };
  const steps = { writeFile: step, rename: step, syncDirectory: step, remove: step };
  const disk: Disk = { ...realDisk, ...steps };
  const text = async () => {
    await turn(); // what was timed is counted when nobody waits
    return metrics.registry.metrics();
  };
  return { disk: measuredDisk(disk, metrics.journal), text };
}

test("what was written is timed, step by step", async () => {
  const { disk, text } = setUp();
  await disk.writeFile("/a", Buffer.alloc(0));
  await disk.writeFile("/a", Buffer.alloc(0));
  await disk.rename("/a", "/b");
  await disk.syncDirectory("/");
  assert.match(await text(), /ferry_journal_write_seconds_count\{step="write"\} 2/);
  assert.match(await text(), /ferry_journal_write_seconds_count\{step="rename"\} 1/);
  assert.match(await text(), /ferry_journal_write_seconds_count\{step="sync"\} 1/);
});

test("a refusal is counted by its code, and still thrown", async () => {
  const { disk, text } = setUp("ENOSPC");
  await assert.rejects(disk.writeFile("/a", Buffer.alloc(0)), { code: "ENOSPC" });
  await assert.rejects(disk.remove("/a"), { code: "ENOSPC" });
  assert.match(await text(), /ferry_journal_write_failures_total\{code="ENOSPC"\} 2/);
  assert.match(await text(), /ferry_journal_write_seconds_count\{step="write"\} 0/);
});

test("a code nobody thought of is counted as other", async () => {
  const { disk, text } = setUp("EMFILE");
  await assert.rejects(disk.writeFile("/a", Buffer.alloc(0)));
  assert.match(await text(), /ferry_journal_write_failures_total\{code="other"\} 1/);
});

test("a name that is taken, or not there, is no failure", async () => {
  const { disk, text } = setUp("ENOENT");
  await assert.rejects(disk.rename("/a", "/b"));
  assert.doesNotMatch(await text(), /failures_total\{.*\} [1-9]/);
});
