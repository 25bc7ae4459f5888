/* A process that has run out of descriptors, as an agent has after a flood of connections. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, openSync, promises } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import type { TestContext } from "node:test";

/** Descriptors this process may have then: what Node and the test hold, and a few. */
const DESCRIPTORS_MAX = 256;

/** Runs `work` while not a single file can be opened, or only so many at once. */
export async function withoutDescriptors(
  t: TestContext,
  work: () => unknown,
  free = 0,
): Promise<void> {
  const limit = (soft: string) =>
    assert.equal(spawnSync("prlimit", [`--pid=${process.pid}`, `--nofile=${soft}:`]).status, 0);
  const held: number[] = [];
  const giveBack = () => {
    for (const descriptor of held.splice(0)) closeSync(descriptor);
  };
  t.after(giveBack);
  limit(String(DESCRIPTORS_MAX));
  await new Promise(setImmediate); // what was closed before is given back by then
  assert.throws(
    () => {
      for (;;) held.push(openSync("/dev/null", "r"));
    },
    { code: "EMFILE" },
  );
  for (const descriptor of held.splice(0, free)) closeSync(descriptor);
  try {
    await work();
  } finally {
    giveBack();
  }
}

/** Runs `work`, in which there is no descriptor whenever that file is read, and there are enough for all else. */
export async function withoutDescriptorsFor(
  t: TestContext,
  path: string,
  work: () => unknown,
): Promise<void> {
  const { readFile } = promises;
  const short = async (...args: Parameters<typeof readFile>) => {
    if (args[0] !== path) return readFile(...args);
    let read: Promise<unknown> | undefined;
    await withoutDescriptors(t, async () => {
      read = readFile(...args);
      await Promise.allSettled([read]);
    });
    return read;
  };
  const mocked = t.mock.method(promises, "readFile", short as typeof readFile);
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    mocked.mock.restore();
    syncBuiltinESMExports();
  }
}
