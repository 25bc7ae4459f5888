/*
 * Goal: a guest that ends by itself goes from this host, and takes nothing along: not its successor of
 * the same name, and not the agent. Method: the real store in a real directory, on a disk that refuses
 * or waits when the test says so, and guests that are a keeper's word.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Logger } from "@ferry/agent-kit";
import type { Death, Keeper } from "@ferry/qemu";
import { realDisk } from "@ferry/store";
import { guestRecord } from "./guest-record-for-tests.js";
import { Resident } from "./resident.js";
import { Residents, type ResidentsHost } from "./residents.js";
import { openSourceStore } from "./store.js";
import { until } from "./until-for-tests.js";

const POWERED_OFF: Death = { exitCode: 0, summary: "QEMU exited with code 0" };

/** A host with one guest, "web-1", whose records lie on a disk that the test holds. */
async function stage(t: TestContext) {
  const dir = await mkdtemp(join(tmpdir(), "ferry-residents-"));
  let rename = realDisk.rename;
  const store = await openSourceStore(dir, {
    ...realDisk,
    rename: (from, to) => rename(from, to),
  });
  const awake = setInterval(() => {}, 1_000);
  t.after(async () => {
    clearInterval(awake);
    store.close();
    await rm(dir, { recursive: true, force: true });
  });
  const warned: string[] = [];
  const log = { info() {}, debug() {}, warn: (_about: object, text: string) => warned.push(text) };
  // Of its host this collection uses no more than that.
  const host = { store, log, config: { stateDir: dir } } as unknown as ResidentsHost;
  const residents = new Residents(host);
  const record = guestRecord("web-1", join(dir, "run"));
  let die: (death: Death) => void = () => {};
  const reaped = new Promise<Death>((resolve) => {
    die = resolve;
  });
  const keeper = { reaped, letGo() {} } as unknown as Keeper; // a resident asks no more of it here
  const resident = new Resident(record, keeper, log as unknown as Logger);
  await store.guests.create("web-1", record);
  residents.add(resident);
  return {
    store,
    residents,
    resident,
    record,
    warned,
    die,
    disk: {
      renames(by: typeof realDisk.rename) {
        rename = by;
      },
    },
  };
}

test("a guest that powers itself off while the disk refuses ends no agent, and goes later", async (t) => {
  const { residents, store, die, disk, warned } = await stage(t);
  disk.renames(async () => {
    throw Object.assign(new Error("read-only"), { code: "EROFS", syscall: "rename" });
  });

  die(POWERED_OFF); // a rejection that nobody heard would fail this test, and end an agent

  await until("it is told that it could not be removed", () => warned.length > 0);
  assert.deepEqual(await store.guests.ids(), ["web-1"]);
  disk.renames(realDisk.rename);
  await until("its record is gone", async () => (await store.guests.ids()).length === 0);
  assert.equal(residents.known("web-1"), undefined);
});

test("a guest that is started anew while its predecessor is being removed keeps its record", async (t) => {
  const { residents, resident, store, record, die, disk } = await stage(t);
  let goOn: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let renames = 0;
  disk.renames(async (from, to) => {
    renames += 1;
    if (renames === 1) await held; // a slow disk: the first removal comes last
    await realDisk.rename(from, to);
  });
  die(POWERED_OFF);
  await until("its removal has begun", () => renames === 1);

  const started = residents.turns.take("web-1", async () => {
    await residents.remove(resident); // as Start does of one that is lost
    await store.guests.create("web-1", record);
  });
  // It may well wait for the first removal. If it does not, it has more than the time that it needs.
  for (let rounds = 0; rounds < 5; rounds += 1) {
    await store.guests.create("other", record);
    await store.guests.remove("other");
  }
  goOn();
  await started;
  await until("both have ended", () => residents.known("web-1") === undefined);

  assert.deepEqual(await store.guests.ids(), ["web-1"]);
});

test("a guest that is being started is not found before it was launched", async (t) => {
  const { residents, store, record } = await stage(t);
  const starting = guestRecord("web-2", record.guest.runDir);

  await residents.starting("web-2", async () => {
    await store.guests.create("web-2", starting);
    assert.deepEqual(
      (await residents.all()).map(({ guestId }) => guestId),
      ["web-1"],
    );
    await store.guests.remove("web-2"); // its QEMU would not start
  });

  assert.equal(await residents.find("web-2"), undefined);
  assert.deepEqual(
    (await residents.all()).map(({ guestId }) => guestId),
    ["web-1"],
  );
});
