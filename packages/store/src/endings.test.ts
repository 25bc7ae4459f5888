/*
 * Goal: a verdict never changes, and is kept until its peer knows it and 7 days have passed. Method:
 * a store on a disk in memory, and its clock moved by hand.
 */
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { z } from "zod";
import { Endings, KEPT_MS } from "./endings.js";
import { StoreExists } from "./errors.js";
import { Folders } from "./folders.js";
import { MemoryDisk, Stopped } from "./memory-disk-for-tests.js";
import { Migrations } from "./migrations.js";

const record = { name: "record", version: 1, schema: z.object({ id: z.string() }) };
const schema = z.object({ id: z.string(), phase: z.string(), cause: z.string().optional() });
const ending = { name: "ending", version: 1, schema };

async function open(disk: MemoryDisk, role: string) {
  await disk.makeDirectory(`/${role}s`);
  await disk.makeDirectory("/endings");
  const endings = new Endings({ disk, role, path: "/endings", format: ending });
  const folders = new Folders({ disk, role, path: `/${role}s`, format: record });
  const migrations = new Migrations({ folders, endings, phases: ["returned", "perished"] });
  const accept = (id: string) => migrations.create(id, { id }, (phase) => ({ id, phase }));
  return { endings, migrations, accept };
}

describe("an ending", () => {
  let disk: MemoryDisk;
  let store: Awaited<ReturnType<typeof open>>;
  beforeEach(async () => {
    disk = new MemoryDisk();
    store = await open(disk, "destination");
    await store.accept("m");
  });
  const bodies = async () => (await store.endings.list()).map(({ body }) => body);
  const later = (ms: number) => new Date(Date.now() + ms);

  test("is there once its migration ended, and only the one it ended in", async () => {
    assert.deepEqual(await bodies(), []);
    await store.migrations.end("m", "returned");
    assert.deepEqual(await bodies(), [{ id: "m", phase: "returned" }]);
    assert.deepEqual(await store.migrations.list(), []);
  });

  test("may be written again, and not otherwise", async () => {
    await store.migrations.end("m", "returned");
    await store.migrations.end("m", "returned");
    await assert.rejects(store.migrations.end("m", "perished"), StoreExists);
    assert.deepEqual(await bodies(), [{ id: "m", phase: "returned" }]);
  });

  test("keeps its id from being used again", async () => {
    await assert.rejects(store.accept("m"), StoreExists);
    await store.migrations.end("m", "returned");
    await assert.rejects(store.accept("m"), StoreExists);
  });

  test("says when it ended, and still does when more became known", async () => {
    const before = Date.now();
    await store.migrations.end("m", "returned");
    const [first] = await store.endings.list();
    assert.ok(first !== undefined && first.endedAt.getTime() >= before);
    await store.endings.annotate("m", { cause: "keepalive" });
    const [second] = await store.endings.list();
    assert.deepEqual(second, {
      body: { id: "m", phase: "returned", cause: "keepalive" },
      endedAt: first.endedAt,
    });
  });

  test("that was never written is not annotated, and not acknowledged", async () => {
    await store.endings.annotate("x", { cause: "keepalive" });
    assert.equal(await store.endings.acknowledge("x"), false);
    assert.deepEqual(await bodies(), []);
  });

  test("is kept for ever while nobody acknowledged it", async () => {
    await store.migrations.end("m", "returned");
    assert.deepEqual(await store.migrations.sweep(later(100 * KEPT_MS)), []);
    assert.equal((await bodies()).length, 1);
  });

  test("that was acknowledged is kept 7 days, and forgotten then", async () => {
    await store.migrations.end("m", "returned");
    assert.equal(await store.endings.acknowledge("m"), true);
    assert.equal(await store.endings.acknowledge("m"), true);
    assert.deepEqual(await store.migrations.sweep(later(KEPT_MS - 60_000)), []);
    assert.equal((await bodies()).length, 1);
    assert.deepEqual(await store.migrations.sweep(later(KEPT_MS + 60_000)), ["m"]);
    assert.deepEqual(await bodies(), []);
    assert.deepEqual(disk.paths(), ["/destinations", "/endings"]);
  });

  test("whose acknowledgement cannot be written is kept longer, and nobody is bothered", async () => {
    await store.migrations.end("m", "returned");
    disk.refuse = () => "ENOSPC";
    assert.equal(await store.endings.acknowledge("m"), false);
  });

  test("of one role does not touch the other role's of the same migration", async () => {
    const source = await open(disk, "source");
    await source.accept("m");
    await source.migrations.end("m", "perished");
    assert.deepEqual(await bodies(), []);
    await store.migrations.end("m", "returned");
    assert.deepEqual(await bodies(), [{ id: "m", phase: "returned" }]);
    assert.equal((await source.endings.list())[0]?.body.phase, "perished");
  });

  test("is reached on a disk that takes nothing more", async () => {
    disk.refuse = (_step, change) => (["write", "mkdir"].includes(change) ? "ENOSPC" : undefined);
    await store.migrations.end("m", "perished");
    assert.deepEqual(await bodies(), [{ id: "m", phase: "perished" }]);
  });
});

test("a landing's ending is not taken out of a folder that a power loss would move back", async () => {
  const disk = new MemoryDisk();
  for (const path of ["/arrivals", "/guests", "/endings"]) await disk.makeDirectory(path);
  for (const path of ["/", "/endings"]) await disk.syncDirectory(path);
  const endings = new Endings({ disk, role: "destination", path: "/endings", format: ending });
  const at = (path: string) => new Folders({ disk, role: "destination", path, format: record });
  const [folders, guests] = [at("/arrivals"), at("/guests")];
  const arrivals = new Migrations({ folders, endings, phases: ["landed", "returned"] });
  await arrivals.create("m", { id: "m" }, (phase) => ({ id: "m", phase }));

  disk.stopAfter = disk.steps + 2; // stamped and renamed, and its agent dies before it is synced
  await assert.rejects(arrivals.handOver("m", "landed", guests, "g"), Stopped);
  disk.stopAfter = Number.POSITIVE_INFINITY;
  await endings.rescue(guests, "g", "landed"); // by the other agent of the host

  const left = disk.after("power lost").paths();
  assert.ok(left.includes("/endings/m.destination.json"), left.join(" "));
  assert.ok(left.includes("/guests/g/record.json"), left.join(" "));
});
