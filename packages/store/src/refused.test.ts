/* Goal: a folder whose making was refused does not stay. Method: a disk that lets it be renamed into place, and then nothing more. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { StoreUnwritable } from "./errors.js";
import { Folders } from "./folders.js";
import { MemoryDisk } from "./memory-disk-for-tests.js";

const format = { name: "test.record", version: 1, schema: z.object({ phase: z.string() }) };

async function refused() {
  const disk = new MemoryDisk();
  await disk.makeDirectory("/arrivals");
  const folders = new Folders({ disk, role: "destination", path: "/arrivals", format });
  let moved = false;
  disk.refuse = (_step, change) => {
    if (moved) return "EROFS";
    moved = change === "rename";
    return undefined;
  };
  await assert.rejects(folders.create("m", { phase: "preparing" }), StoreUnwritable);
  assert.ok(disk.paths().includes("/arrivals/m/record.json"), "the disk did not let go of it");
  await assert.rejects(folders.removeRefused(), StoreUnwritable);
  disk.refuse = () => undefined;
  return { disk, folders };
}

test("what was refused goes once the disk lets go of it", async () => {
  const { disk, folders } = await refused();
  await folders.removeRefused();
  assert.deepEqual(disk.paths(), ["/arrivals"]);
});

test("what was refused is in nobody's way: it can be made again", async () => {
  const { folders } = await refused();
  await folders.create("m", { phase: "again" });
  assert.deepEqual(await folders.read("m"), { phase: "again" });
  await folders.removeRefused();
  assert.deepEqual(await folders.read("m"), { phase: "again" });
});
