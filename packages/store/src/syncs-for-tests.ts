/*
 * What was synced, as the kernel names it. A disk in memory shows what a power loss would take; that the
 * real one is asked to keep anything can be seen here alone.
 */
import { readlinkSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { TestContext } from "node:test";

/** The paths that fsync(2) is called on from now until the test ends, in their order. */
export async function watchSyncs(t: TestContext): Promise<readonly string[]> {
  const synced: string[] = [];
  const any = await open("/dev/null", "r");
  const handles: FileHandle = Object.getPrototypeOf(any); // what all of them inherit from
  await any.close();
  const { sync } = handles;
  t.mock.method(handles, "sync", function (this: FileHandle) {
    synced.push(readlinkSync(`/proc/self/fd/${this.fd}`));
    return sync.call(this);
  });
  return synced;
}
