/*
 * Goal: what a source agent needs to know about its guests and departures is found again by the next
 * one, and nothing it does loses what the host's destination agent wrote. Method: the real store in a
 * real directory, opened again; the other agent is played by the store's own parts.
 */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import {
  type DepartureRecord,
  type EndingRecord,
  endingFormat,
  type GuestRecord,
  guestFormat,
} from "@ferry/agent-kit";
import {
  Endings,
  Folders,
  Migrations,
  realDisk,
  StoreCorrupt,
  StoreExists,
  StoreNewerFormat,
  StoreRefused,
} from "@ferry/store";
import { departureRecord } from "./departure-record-for-tests.js";
import { openSourceStore, type SourceStore } from "./store.js";

const N = "6f1c1d9e-0000-4000-8000-000000000002";
const M = "6f1c1d9e-0000-4000-8000-000000000001";

function guest(guestId: string, paused = false): GuestRecord {
  return {
    guest: {
      spec: {
        guestId,
        machineType: "pc-q35-7.2",
        cpuModel: "qemu64",
        vcpus: 1,
        memoryBytes: 1 << 28,
        disks: [{ diskId: "root", path: "/d.qcow2", format: "qcow2", readOnly: false }],
        nics: [],
        boot: { kind: "kernel", path: "/k", initrdPath: "", commandLine: "quiet" },
        accelerator: "tcg",
      },
      runDir: "/run/ferry/x",
      qemuVersion: "7.2.22",
      accelerator: "tcg",
      cpuProperties: { avx2: "false" },
      processes: {
        keeper: { pid: 10, startTime: "1", bootId: "b" },
        qemu: { pid: 11, startTime: "2", bootId: "b" },
      },
      paused,
      since: new Date(0).toISOString(),
    },
  };
}

function departure(phase: string): DepartureRecord {
  return departureRecord({
    migrationId: M,
    guestId: "web-1",
    phase,
    destinationAddress: "host-2:7002",
    arrival: "12345678901234567890",
    transport: "tunnel",
  });
}

function ending(phase: string): EndingRecord {
  return {
    migrationId: M,
    guestId: "web-1",
    phase,
    peerAgentId: "host-2/destination",
    arrival: "12345678901234567890",
    transport: "tunnel",
    startedAt: new Date(0).toISOString(),
  };
}

/** What the host's destination agent has in the same directory. */
function neighbour(stateDir: string) {
  const shared = { disk: realDisk, role: "destination" };
  const format = guestFormat;
  const at = (name: string) => ({ ...shared, path: join(stateDir, name), format });
  const endings = new Endings({
    ...shared,
    path: join(stateDir, "endings"),
    format: endingFormat,
  });
  const arriving = new Folders(at("arrivals"));
  const arrivals = new Migrations({ folders: arriving, endings, phases: ["landed", "returned"] });
  return { endings, arriving, arrivals, guests: new Folders(at("guests")) };
}

describe("a source's store", () => {
  let stateDir: string;
  let store: SourceStore;
  const again = async () => {
    store.close();
    store = await openSourceStore(stateDir);
  };
  const endings = async () =>
    (await store.endings.list()).map(({ body }) => [body.migrationId, body.phase]);

  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), "ferry-source-store-"));
    store = await openSourceStore(stateDir);
  });
  afterEach(async () => {
    store.close();
    await rm(stateDir, { recursive: true, force: true });
  });

  test("finds its guests as they were written last", async () => {
    await store.guests.create("web-1", guest("web-1"));
    await store.guests.update("web-1", guest("web-1", true));
    await again();
    assert.deepEqual(await store.guests.ids(), ["web-1"]);
    assert.deepEqual(await store.guests.read("web-1"), guest("web-1", true));
    await store.guests.remove("web-1");
    await again();
    assert.deepEqual(await store.guests.ids(), []);
    assert.equal(await store.guests.read("web-1"), undefined);
  });

  test("does not create a guest where one lives", async () => {
    await store.guests.create("web-1", guest("web-1"));
    await assert.rejects(store.guests.create("web-1", guest("web-1", true)), StoreExists);
  });

  test("finds a departure as it was written last", async () => {
    await store.departures.create(M, departure("begun"), ending);
    await store.departures.update(M, departure("released"), "fsync");
    await again();
    assert.deepEqual(await store.departures.list(), [departure("released")]);
  });

  for (const phase of ["kept", "gone", "departed"] as const) {
    test(`finds that a departure ended ${phase}`, async () => {
      await store.departures.create(M, departure("begun"), ending);
      await store.departures.end(M, phase);
      await again();
      assert.deepEqual(await store.departures.list(), []);
      assert.deepEqual(await endings(), [[M, phase]]);
    });
  }

  test("what was foretold of an ending is in it, and in no other", async () => {
    await store.departures.create(M, departure("begun"), ending);
    await store.departures.foretell(M, ["kept", "gone"], { overridden: "ann: it burnt" });
    await store.departures.end(M, "kept");
    await again();
    const [{ body } = { body: undefined }] = await store.endings.list();
    assert.deepEqual(body, { ...ending("kept"), overridden: "ann: it burnt" });
    await store.departures.create(N, { ...departure("begun"), migrationId: N }, ending);
    await assert.rejects(store.departures.foretell(N, ["lost"], {}), /holds no ending "lost"/);
  });

  test("ends a departure only in a phase that is an end", async () => {
    await store.departures.create(M, departure("begun"), ending);
    await assert.rejects(store.departures.end(M, "released"), /can end in/);
  });

  test("finds a guest that landed here, and one that is arriving", async () => {
    const there = neighbour(stateDir);
    await there.arrivals.create("n", guest("web-2"), ending);
    assert.equal(await store.arrivalOf("web-2"), "n");
    assert.equal(await store.arrivalOf("web-1"), undefined);
    await there.arrivals.handOver("n", "landed", there.guests, "web-2");
    assert.equal(await store.arrivalOf("web-2"), undefined);
    assert.deepEqual(await store.guests.read("web-2"), guest("web-2"));
  });

  test("a guest that goes does not take the verdict of its landing with it", async () => {
    const there = neighbour(stateDir);
    await there.arrivals.create(M, guest("web-2"), ending);
    // As if the destination agent died right after the rename that is the landing.
    await there.arriving.moveTo(M, there.guests, "web-2");
    await store.guests.remove("web-2");
    assert.deepEqual(
      (await there.endings.list()).map(({ body }) => body.phase),
      ["landed"],
    );
  });

  test("a guest that is hidden is not there, now or after a restart, finished or not", async () => {
    for (const finishes of [true, false]) {
      await store.guests.create("web-1", guest("web-1"));
      await store.guests.readyHide("web-1");
      const finish = await store.guests.hide("web-1");
      assert.deepEqual(await store.guests.ids(), []);
      if (finishes) await finish();
      await again();
      assert.deepEqual(await store.guests.ids(), []);
    }
    assert.deepEqual(await readdir(join(stateDir, "guests")), []);
  });

  test("leaves alone what the other agent has not finished", async () => {
    const unfinished = join(stateDir, "guests", ".destination.1234");
    await writeFile(unfinished, "");
    await writeFile(join(stateDir, "guests", ".source.1234"), "");
    await again();
    assert.deepEqual(await realDisk.names(join(stateDir, "guests")), [".destination.1234"]);
  });

  test("does not start on records it cannot read, and leaves them as they are", async () => {
    await store.departures.create(M, departure("released"), ending);
    const path = join(stateDir, "departures", M, "record.json");
    const newer = '{"format":"ferry.departure","version":2,"sha256":""}\n{}\n';
    await writeFile(path, newer);
    await again();
    await assert.rejects(store.departures.list(), StoreNewerFormat);
    await writeFile(path, newer.slice(0, 20));
    await assert.rejects(store.departures.list(), StoreCorrupt);
    assert.equal((await realDisk.readFile(path))?.length, 20);
  });

  test("belongs to one agent", async () => {
    await assert.rejects(openSourceStore(stateDir), StoreRefused);
  });
});
