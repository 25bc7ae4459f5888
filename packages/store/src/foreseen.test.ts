import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { Folders } from "./folders.js";
import { MemoryDisk } from "./memory-disk-for-tests.js";

const format = { name: "test.record", version: 1, schema: z.object({ phase: z.string() }) };

/** A folder "m" with a record in it, and a foreseen one beside it. */
async function foreseeing(phase: string) {
  const disk = new MemoryDisk();
  await disk.makeDirectory("/arrivals");
  const folders = new Folders({ disk, role: "destination", path: "/arrivals", format });
  await folders.create("m", { phase: "prepared" });
  await folders.foresee("m", { phase });
  return { disk, folders };
}

test("a record that was foreseen is written by a rename and a sync", async () => {
  const { disk, folders } = await foreseeing("landing");
  const before = disk.steps;
  await folders.update("m", { phase: "landing" });
  assert.equal(disk.steps - before, 2);
  assert.deepEqual(await folders.read("m"), { phase: "landing" });
  assert.deepEqual(
    disk.paths().filter((path) => path.includes("/.")),
    [],
  );
});

test("a foreseen record is in nobody's way: another one is written as ever", async () => {
  const { folders } = await foreseeing("landing");
  assert.deepEqual(await folders.read("m"), { phase: "prepared" });
  await folders.update("m", { phase: "discarding" });
  assert.deepEqual(await folders.read("m"), { phase: "discarding" });
});

test("a foreseen record that somebody removed is written at the second try", async () => {
  const { disk, folders } = await foreseeing("landing");
  await folders.tidy(); // as an agent that starts would
  await assert.rejects(folders.update("m", { phase: "landing" }));
  await folders.update("m", { phase: "landing" });
  assert.deepEqual(await folders.read("m"), { phase: "landing" });
  assert.equal(disk.paths().includes("/arrivals/m/record.json"), true);
});

test("a foreseen record that never came is not handed over with its folder", async () => {
  const { disk, folders } = await foreseeing("landing");
  await disk.makeDirectory("/guests");
  const guests = new Folders({ disk, role: "destination", path: "/guests", format });
  await folders.moveTo("m", guests, "g");
  assert.deepEqual(
    disk.paths().filter((path) => path.startsWith("/guests/")),
    ["/guests/g", "/guests/g/record.json"],
  );
});

test("whoever updates at once waits for the foreseen record, and uses it", async () => {
  const { disk, folders } = await foreseeing("landing");
  const foreseen = folders.foresee("m", { phase: "relanding" });
  await folders.update("m", { phase: "relanding" });
  await foreseen;
  assert.deepEqual(await folders.read("m"), { phase: "relanding" });
  await folders.tidy();
  assert.deepEqual(
    disk.paths().filter((path) => path.includes("/.")),
    [],
  );
});
