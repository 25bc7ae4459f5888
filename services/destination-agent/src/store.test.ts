/*
 * Goal: an arrival's verdict is found again by the next agent, whatever happened to this one. Method:
 * the real store in a real directory, opened again after each step; the disk refuses where it is told.
 */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { ArrivalRecord, EndingRecord } from "@ferry/agent-kit";
import { realDisk, StoreExists, StoreRefused, StoreUnwritable } from "@ferry/store";
import { type DestinationStore, openDestinationStore } from "./store.js";

const M = "6f1c1d9e-0000-4000-8000-000000000001";
const N = "6f1c1d9e-0000-4000-8000-000000000002";

function record(migrationId: string, phase = "preparing", guestId = "web-1"): ArrivalRecord {
  return {
    guest: {
      spec: {
        guestId,
        machineType: "pc-q35-7.2",
        cpuModel: "qemu64",
        vcpus: 1,
        memoryBytes: 1 << 28,
        disks: [],
        nics: [],
        boot: { kind: "disk" },
        accelerator: "tcg",
      },
      runDir: "/run/ferry/x",
      qemuVersion: "7.2.22",
      accelerator: "tcg",
      cpuProperties: {},
      paused: false,
      since: new Date(0).toISOString(),
    },
    arrival: {
      migrationId,
      phase,
      arrival: "12345678901234567890",
      sourceAgentId: "host-1/source",
      transport: "direct",
      startedAt: new Date(0).toISOString(),
    },
  };
}

const endingOf =
  (migrationId: string) =>
  (phase: string): EndingRecord => ({
    migrationId,
    guestId: "web-1",
    phase,
    peerAgentId: "host-1/source",
    arrival: "12345678901234567890",
    transport: "direct",
    startedAt: new Date(0).toISOString(),
  });

describe("a destination's store", () => {
  let stateDir: string;
  let store: DestinationStore;
  const again = async () => {
    store.close();
    store = await openDestinationStore(stateDir);
  };
  const endings = async () =>
    (await store.endings.list()).map(({ body }) => [body.migrationId, body.phase]);

  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), "ferry-destination-store-"));
    store = await openDestinationStore(stateDir);
  });
  afterEach(async () => {
    store.close();
    await rm(stateDir, { recursive: true, force: true });
  });

  test("finds an arrival as it was written last", async () => {
    await store.arrivals.create(M, record(M), endingOf(M));
    await store.arrivals.update(M, record(M, "landing"), "fsync");
    await again();
    assert.deepEqual(await store.arrivals.list(), [record(M, "landing")]);
    assert.deepEqual(await endings(), []);
    assert.equal(await store.guestExists("web-1"), false);
  });

  for (const phase of ["returned", "perished"] as const) {
    test(`finds that an arrival ${phase}, and no arrival any more`, async () => {
      await store.arrivals.create(M, record(M), endingOf(M));
      await store.arrivals.end(M, phase);
      await again();
      assert.deepEqual(await store.arrivals.list(), []);
      assert.deepEqual(await endings(), [[M, phase]]);
      assert.equal(await store.guestExists("web-1"), false);
    });
  }

  test("finds a landed guest, its verdict, and no arrival any more", async () => {
    await store.arrivals.create(M, record(M), endingOf(M));
    await store.arrivals.land(M, "web-1");
    await store.arrivals.land(M, "web-1"); // a step that was taken may be taken again
    await again();
    assert.deepEqual(await store.arrivals.list(), []);
    assert.deepEqual(await endings(), [[M, "landed"]]);
    assert.equal(await store.guestExists("web-1"), true);
  });

  test("lands although the verdict's own file cannot be moved, and finds the verdict", async () => {
    await store.arrivals.create(M, record(M), endingOf(M));
    store.close();
    let renames = 0;
    store = await openDestinationStore(stateDir, {
      ...realDisk,
      rename: (from, to) => (++renames > 1 ? broken("rename", to) : realDisk.rename(from, to)),
    });
    await store.arrivals.land(M, "web-1");
    assert.deepEqual(await readdir(join(stateDir, "endings")), []);
    await assert.rejects(store.endings.annotate(M, { downtimeMs: 31 }), StoreUnwritable);
    await again();
    assert.deepEqual(await endings(), [[M, "landed"]]);
    await store.endings.annotate(M, { downtimeMs: 31 });
    assert.equal((await store.endings.list())[0]?.body.downtimeMs, 31);
  });

  test("does not land a guest on one that lives here", async () => {
    await store.arrivals.create(M, record(M), endingOf(M));
    await store.arrivals.land(M, "web-1");
    await store.arrivals.create(N, record(N), endingOf(N));
    await assert.rejects(store.arrivals.land(N, "web-1"), StoreExists);
    assert.deepEqual(await store.arrivals.list(), [record(N)]);
    await store.arrivals.end(N, "returned");
    assert.deepEqual(await endings(), [
      [M, "landed"],
      [N, "returned"],
    ]);
  });

  test("never changes a verdict", async () => {
    await store.arrivals.create(M, record(M), endingOf(M));
    await store.arrivals.end(M, "returned");
    await assert.rejects(store.arrivals.land(M, "web-1"), StoreExists);
    await assert.rejects(store.arrivals.create(M, record(M), endingOf(M)), StoreExists);
    assert.deepEqual(await endings(), [[M, "returned"]]);
  });

  test("an accept that the disk refuses leaves nothing behind", async () => {
    store.close();
    let writes = 0;
    store = await openDestinationStore(stateDir, {
      ...realDisk,
      writeFile: (path, bytes) =>
        ++writes > 2 ? broken("write", path) : realDisk.writeFile(path, bytes),
    });
    await assert.rejects(store.arrivals.create(M, record(M), endingOf(M)), StoreUnwritable);
    assert.deepEqual(await readdir(join(stateDir, "arrivals")), []);
  });

  test("forgets a verdict 7 days after its peer knew it", async () => {
    await store.arrivals.create(M, record(M), endingOf(M));
    await store.arrivals.end(M, "returned");
    const nextWeek = new Date(Date.now() + 8 * 24 * 60 * 60 * 1000);
    assert.deepEqual(await store.endings.sweep(nextWeek), []);
    await store.endings.acknowledge(M);
    assert.deepEqual(await store.endings.sweep(new Date()), []);
    assert.deepEqual(await store.endings.sweep(nextWeek), [M]);
    assert.deepEqual(await endings(), []);
  });

  test("belongs to one agent", async () => {
    await assert.rejects(openDestinationStore(stateDir), StoreRefused);
  });
});

function broken(syscall: string, path: string): Promise<never> {
  const error = Object.assign(new Error(`EIO: ${syscall} ${path}`), { code: "EIO", syscall, path });
  return Promise.reject(error);
}
