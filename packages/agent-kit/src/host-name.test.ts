/*
 * Goal: a host that is renamed leaves no migration behind that nobody can settle any more. Method: the real
 * store in a real directory, with migrations of both roles in every state that matters.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Endings, Folders, Migrations, realDisk, StoreRefused } from "@ferry/store";
import { takeHostName } from "./host-name.js";
import { makeLogger } from "./logs.js";
import {
  type DepartureRecord,
  departureFormat,
  type EndingRecord,
  endingFormat,
} from "./records.js";

const ID = "5b7e4f1c-2a60-4d7e-9d3b-0a4e3f6a7c11";

const DEPARTURE: DepartureRecord = {
  migrationId: ID,
  guestId: "web",
  phase: "released",
  startedAt: new Date(0).toISOString(),
  destinationAddress: "10.0.0.2:7702",
  destinationAgentId: "host-2/destination",
  arrival: "7",
  before: "",
  transport: "direct",
  bandwidthBytesPerSecond: 0,
  downtimeLimitMs: 300,
  paused: false,
  reason: "",
};

function ending(phase: string): EndingRecord {
  const { migrationId, guestId, arrival, transport, startedAt } = DEPARTURE;
  const peerAgentId = "host-2/source";
  return { migrationId, guestId, phase, peerAgentId, arrival, transport, startedAt };
}

async function setUp(t: TestContext) {
  const stateDir = mkdtempSync(join(tmpdir(), "ferry-name-"));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  for (const name of ["departures", "arrivals", "endings"]) mkdirSync(join(stateDir, name));
  const lines: string[] = [];
  const log = makeLogger({ level: "warn", base: {} }, { write: (line) => void lines.push(line) });
  const of = (role: string, folder: string) => {
    const path = join(stateDir, "endings");
    const endings = new Endings({ disk: realDisk, role, path, format: endingFormat });
    const folders = new Folders({
      disk: realDisk,
      role,
      path: join(stateDir, folder),
      format: departureFormat,
    });
    const phases = role === "source" ? ["kept", "departed"] : ["returned", "landed", "perished"];
    return { endings, migrations: new Migrations({ folders, endings, phases }) };
  };
  return {
    stateDir,
    lines,
    source: of("source", "departures"),
    destination: of("destination", "arrivals"),
    called: (hostId: string, disk = realDisk) => takeHostName({ stateDir, hostId, log, disk }),
    kept: () => readFileSync(join(stateDir, "host_id"), "utf8"),
  };
}

const isRefused = (error: unknown) =>
  error instanceof StoreRefused &&
  error.message.includes(ID) &&
  /was called host-1.*host_id: host-1 until/.test(error.message);

test("a host keeps its name, and may have another one while nobody waits for it", async (t) => {
  const { called, kept, lines } = await setUp(t);
  await called("host-1");
  await called("host-1");
  assert.equal(kept(), "host-1\n");
  assert.deepEqual(lines, []);
  await called("host-9");
  assert.equal(kept(), "host-9\n");
  assert.match(lines.join(""), /renamed/);
});

test("a host is not renamed while a migration of either role is under way", async (t) => {
  for (const role of ["source", "destination"] as const) {
    const { called, kept, ...host } = await setUp(t);
    await called("host-1");
    await host[role].migrations.create(ID, DEPARTURE, ending);
    await assert.rejects(called("host-9"), isRefused, role);
    assert.equal(kept(), "host-1\n");
    await called("host-1");
  }
});

test("nor while a source may still wait for the word that its guest landed, or perished", async (t) => {
  for (const phase of ["landed", "perished"]) {
    const { called, destination } = await setUp(t);
    await called("host-1");
    await destination.migrations.create(ID, DEPARTURE, ending);
    await destination.migrations.end(ID, phase);
    await assert.rejects(called("host-9"), isRefused, phase);
    await destination.endings.acknowledge(ID);
    await called("host-9");
  }
});

test("nor while a host that was overridden was not told so", async (t) => {
  const { called, source } = await setUp(t);
  await called("host-1");
  await source.migrations.create(ID, DEPARTURE, ending);
  await source.migrations.end(ID, "kept");
  await source.endings.annotate(ID, { overridden: "ops: gone" });
  await assert.rejects(called("host-9"), isRefused);
  await source.endings.annotate(ID, { told: true });
  await called("host-9");
});

test("a migration that ended, and an arrival that no source ever met, keep no host's name", async (t) => {
  const { called, source, destination } = await setUp(t);
  await called("host-1");
  await source.migrations.create(ID, DEPARTURE, ending);
  await source.migrations.end(ID, "kept");
  await destination.migrations.create(ID, DEPARTURE, ending);
  await destination.migrations.end(ID, "returned");
  await called("host-9");
});

test("a disk that cannot be written keeps no agent from starting", async (t) => {
  const { called, lines } = await setUp(t);
  const full = () => Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" }));
  await called("host-1", { ...realDisk, writeFile: full });
  assert.match(lines.join(""), /name is not kept/);
});
