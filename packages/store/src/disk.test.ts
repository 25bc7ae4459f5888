/*
 * Goal: on real file systems, full, read-only or shared, a record is whole or refused. Method: small
 * file systems mounted for the purpose, which takes root; without it those tests are skipped.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, type TestContext, test } from "node:test";
import { z } from "zod";
import { AuditLog, readAudit } from "./audit.js";
import { realDisk } from "./disk.js";
import { Endings } from "./endings.js";
import { StoreCorrupt, StoreExists, StoreUnwritable } from "./errors.js";
import { Folders } from "./folders.js";
import { Migrations } from "./migrations.js";
import { watchSyncs } from "./syncs-for-tests.js";

const record = { name: "record", version: 1, schema: z.object({ text: z.string() }) };
const schema = z.object({ phase: z.string() });
const ending = { name: "ending", version: 1, schema };

let directory: string;
let mounted = false;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ferry-disk-"));
});
afterEach(async () => {
  if (mounted) execFileSync("umount", ["--lazy", directory]);
  mounted = false;
  await rm(directory, { recursive: true, force: true });
});

async function open() {
  for (const name of ["arrivals", "guests", "endings"]) await mkdir(join(directory, name));
  const shared = { disk: realDisk, role: "destination" };
  const at = (name: string) => ({ ...shared, path: join(directory, name), format: record });
  const [arriving, guests] = [new Folders(at("arrivals")), new Folders(at("guests"))];
  const endings = new Endings({ ...shared, path: join(directory, "endings"), format: ending });
  const phases = ["landed", "returned"] as const;
  const arrivals = new Migrations({ folders: arriving, endings, phases });
  return { arrivals, guests, endings };
}

/** Mounts a small file system at `directory`, until the test is over. */
function mount(t: TestContext, options: string): boolean {
  if (process.getuid?.() !== 0) {
    t.skip("NOT TESTED: mounting a file system takes root");
    return false;
  }
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "ferry-test", directory], {
      stdio: "pipe",
    });
  } catch {
    t.skip("NOT TESTED: this machine forbids mounting");
    return false;
  }
  mounted = true;
  return true;
}

function corrupt(path: string) {
  return (error: unknown) => error instanceof StoreCorrupt && error.path === path;
}

function unwritable(code: string) {
  return (error: unknown) =>
    error instanceof StoreUnwritable && error.code === code && error.path.startsWith(directory);
}

describe("on a real file system", () => {
  test("a record is read as it was written, by its owner alone", async () => {
    const { arrivals } = await open();
    await arrivals.create("m", { text: "one" }, (phase) => ({ phase }));
    await arrivals.update("m", { text: "two" });
    assert.deepEqual(await arrivals.list(), [{ text: "two" }]);
    const folder = join(directory, "arrivals", "m");
    assert.deepEqual((await readdir(folder)).sort(), ["endings", "record.json"]);
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    assert.equal((await stat(join(folder, "record.json"))).mode & 0o777, 0o600);
  });

  test("a landing never overwrites a guest that lives there", async () => {
    const { arrivals, guests } = await open();
    await guests.create("g", { text: "resident" });
    await arrivals.create("m", { text: "arriving" }, (phase) => ({ phase }));
    await assert.rejects(arrivals.handOver("m", "landed", guests, "g"), StoreExists);
    assert.deepEqual(await guests.read("g"), { text: "resident" });
    assert.deepEqual(await arrivals.list(), [{ text: "arriving" }]);
  });

  test("a guest is created once", async () => {
    const { guests } = await open();
    await guests.create("g", { text: "first" });
    await assert.rejects(guests.create("g", { text: "second" }), StoreExists);
    assert.deepEqual(await guests.read("g"), { text: "first" });
    assert.deepEqual(await readdir(join(directory, "guests")), ["g"]);
  });

  test("a torn record is refused with its path, and left as it is", async () => {
    const { guests } = await open();
    await guests.create("g", { text: "resident" });
    const path = join(directory, "guests", "g", "record.json");
    await writeFile(path, "{");
    await assert.rejects(
      guests.read("g"),
      (error) =>
        error instanceof StoreCorrupt && error.path === path && error.message.includes(path),
    );
    assert.equal((await stat(path)).size, 1);
  });

  test("what is not ours in a collection is refused with its path", async () => {
    const { arrivals } = await open();
    await writeFile(join(directory, "arrivals", "stray"), "");
    await assert.rejects(arrivals.list(), StoreCorrupt);
  });

  test("what is no file where a record should be is refused with its path", async () => {
    const { guests, endings } = await open();
    const record = join(directory, "guests", "g", "record.json");
    await mkdir(record, { recursive: true });
    await assert.rejects(guests.read("g"), corrupt(record));
    await rm(record, { recursive: true });
    await symlink(record, record);
    await assert.rejects(guests.read("g"), corrupt(record));
    const path = join(directory, "endings", "m.destination.json");
    await mkdir(path);
    await assert.rejects(endings.list(), corrupt(path));
  });

  test("a folder that another agent puts there while it is looked for is found whole", async () => {
    const { guests } = await open();
    const aside = join(directory, "aside");
    await guests.create("g", { text: "lands" });
    await rename(guests.folder("g"), aside);
    const disk = {
      ...realDisk,
      readFile: async (path: string) => {
        const bytes = await realDisk.readFile(path);
        if (bytes === undefined) await rename(aside, guests.folder("g")); // right after that look
        return bytes;
      },
    };
    const path = join(directory, "guests");
    const theirs = new Folders({ disk, role: "source", path, format: record });
    assert.deepEqual(await theirs.read("g"), { text: "lands" });
  });

  test("a name that could leave the collection is never used", async () => {
    const { guests } = await open();
    for (const name of ["..", ".", "", "a/b", "../x", ".hidden"]) {
      await assert.rejects(async () => guests.read(name), /safe in a path/, name);
    }
  });

  test("a full disk refuses what is new, and lets every migration end", async (t) => {
    if (!mount(t, "size=256k")) return;
    const { arrivals, guests, endings } = await open();
    for (const id of ["lands", "returns"]) {
      await arrivals.create(id, { text: id }, (phase) => ({ phase }));
    }
    await assert.rejects(writeFile(join(directory, "ballast"), Buffer.alloc(1 << 20)), /ENOSPC/);

    const large = { text: "x".repeat(100_000) };
    await assert.rejects(
      arrivals.create("m", large, (phase) => ({ phase })),
      unwritable("ENOSPC"),
    );
    await assert.rejects(arrivals.update("lands", large), unwritable("ENOSPC"));
    await arrivals.handOver("lands", "landed", guests, "g");
    await endings.rescue(guests, "g", "landed");
    await arrivals.end("returns", "returned");
    await arrivals.clear("returns");

    assert.deepEqual(await guests.read("g"), { text: "lands" });
    assert.deepEqual(await endings.ids(), ["lands", "returns"]);
    assert.deepEqual(await arrivals.list(), []);
    assert.deepEqual(await readdir(join(directory, "arrivals")), []);
  });

  test("a full disk takes no half of an audit line for a whole one, and none is lost afterwards", async (t) => {
    if (!mount(t, "size=64k")) return;
    const entry = (reason: string) => {
      return { what: "override", who: "ann", migrationId: "m", guestId: "g", reason };
    };
    const log = await AuditLog.open(directory, "source");
    await log.append(entry("x".repeat(3_500))); // its file has one page, and some room in it
    const ballast = join(directory, "ballast");
    await assert.rejects(writeFile(ballast, Buffer.alloc(1 << 20)), /ENOSPC/);

    await assert.rejects(log.append(entry("y".repeat(1_000))), unwritable("ENOSPC"));
    await rm(ballast);
    await log.append(entry("two"));
    await log.append(entry("three"));
    await log.close();

    const read = await readAudit(join(directory, "audit.source.log"));
    assert.deepEqual(
      read.map(({ reason }) => reason.slice(0, 5)),
      ["xxxxx", "two", "three"],
    );
  });

  test("a read-only disk refuses everything, and says so", async (t) => {
    if (!mount(t, "size=256k")) return;
    const { arrivals, guests } = await open();
    await arrivals.create("m", { text: "one" }, (phase) => ({ phase }));
    execFileSync("mount", ["-o", "remount,ro", directory]);
    await assert.rejects(arrivals.update("m", { text: "two" }), unwritable("EROFS"));
    await assert.rejects(arrivals.end("m", "returned"), unwritable("EROFS"));
    await assert.rejects(arrivals.handOver("m", "landed", guests, "g"), unwritable("EROFS"));
    assert.deepEqual(await arrivals.list(), [{ text: "one" }]);
    execFileSync("mount", ["-o", "remount,rw", directory]);
    await arrivals.end("m", "returned");
    assert.deepEqual(await arrivals.list(), []);
  });
});

test("a file is synced before it is in place, and its directory afterwards", async (t) => {
  const synced = await watchSyncs(t);
  const [path, place] = [join(directory, "new"), join(directory, "record.json")];
  await realDisk.writeFile(path, Buffer.from("text"));
  assert.deepEqual(synced, [path]);
  await realDisk.rename(path, place);
  await realDisk.syncDirectory(directory);
  const opened = await realDisk.openDirectory(directory);
  await opened.sync();
  await opened.close();
  assert.deepEqual(synced, [path, directory, directory]);
});
