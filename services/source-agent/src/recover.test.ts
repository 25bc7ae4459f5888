/*
 * Goal: an agent that has just started decides nothing before it has heard QEMU, and its peer. Method: the real
 * store and the real recovery, and a QEMU that is this very process with a monitor that the test holds.
 */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { type Logger, makeMetrics, NO_TRACES, type PeerLine } from "@ferry/agent-kit";
import { ConfirmOverride, MeetResponse, Verdict } from "@ferry/contract";
import { AuditLog } from "@ferry/store";
import { departureRecord } from "./departure-record-for-tests.js";
import { Departures } from "./departures.js";
import { guestRecord } from "./guest-record-for-tests.js";
import type { Host } from "./host.js";
import { overrideDestination } from "./override.js";
import { recover } from "./recover.js";
import { Residents, type ResidentsHost } from "./residents.js";
import { openSourceStore } from "./store.js";
import { until } from "./until-for-tests.js";

const MIGRATION = "6f1c0b6e-8f55-4b8e-9d52-0b8f1d1a2b3c";
const GREETING = {
  QMP: { version: { qemu: { major: 7, minor: 2, micro: 22 } }, capabilities: [] },
};

/** What a monitor answers; undefined: it hangs up instead. */
type Answer = (command: string) => object | undefined;

async function monitor(t: TestContext, path: string, answer: Answer): Promise<void> {
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    const say = (message: object) => client.write(`${JSON.stringify(message)}\r\n`);
    let text = "";
    say(GREETING);
    client.on("error", () => {});
    client.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (text + chunk).split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        const { execute, id } = JSON.parse(line) as { execute: string; id: number };
        const said = execute === "qmp_capabilities" ? { return: {} } : answer(execute);
        if (said === undefined) client.destroy();
        else say({ ...said, id });
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => {
    for (const client of clients) client.destroy();
    server.close();
  });
}

/** A host whose last agent died while "web-1" was being copied. */
async function stage(t: TestContext, answer: Answer, phase = "performing") {
  const dir = await mkdtemp(join(tmpdir(), "ferry-recover-"));
  const runDir = join(dir, "run");
  await mkdir(runDir);
  const store = await openSourceStore(join(dir, "state"));
  const me = ourselves();
  await store.guests.create("web-1", guestRecord("web-1", runDir, { keeper: me, qemu: me }));
  await store.departures.create(MIGRATION, { ...RECORD, phase }, (phase) => ({
    ...RECORD,
    phase,
    peerAgentId: RECORD.destinationAgentId,
  }));
  await monitor(t, join(runDir, "source.qmp"), answer);
  const log = { info() {}, debug() {}, warn() {}, error() {}, fatal() {}, child: () => log };
  const config = {
    stateDir: join(dir, "state"),
    limits: {},
    timeouts: { beatMs: 3_600_000, meetStaleMs: 7_200_000, stallMs: 3_600_000 },
  };
  const destination = Object.assign(new EventEmitter(), { write() {}, end() {}, cancel() {} });
  const line = { client: { meet: () => destination }, giveBack() {}, hangUp() {} };
  const metrics = makeMetrics({ role: "source", process: false });
  const common = { config, log: log as unknown as Logger, metrics, store };
  const residents = new Residents(common as unknown as ResidentsHost);
  const audit = await AuditLog.open(config.stateDir, "source");
  const host = { ...common, agentId: "a/source", traces: NO_TRACES, audit };
  const dialPeer = () => line as unknown as PeerLine;
  const departures = new Departures({ ...host, dialPeer } as unknown as Host, residents);
  const awake = setInterval(() => {}, 1_000);
  t.after(async () => {
    clearInterval(awake);
    departures.close();
    residents.close();
    await audit.close();
    store.close();
    await rm(dir, { recursive: true, force: true });
  });
  return { store, residents, departures, destination };
}

/** As a record names a process (proc(5)). */
function ourselves() {
  const stat = readFileSync("/proc/self/stat", "utf8");
  const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  return { pid: process.pid, startTime, bootId };
}

const RECORD = departureRecord({
  migrationId: MIGRATION,
  guestId: "web-1",
  destinationAddress: "b:1",
  destinationAgentId: "b/destination",
  before: "none     ",
});

const RUNNING = { return: { status: "running", running: true } };
const REFUSED = { error: { class: "GenericError", desc: "not now" } };
const NEVER_SENT = { return: {} };
const OVERRIDE = ConfirmOverride.fromPartial({ fencedHost: "b", reason: "r", neverLanded: true });

/** It has sent all, and takes its guest back when it is told to. */
function answerOfReleased(command: string) {
  return command === "query-status"
    ? { return: { status: "postmigrate", running: false } }
    : { return: {} };
}

for (const [what, first] of [
  ["hangs up", undefined],
  ["refuses", REFUSED],
] as const) {
  // A rejection that nobody heard would fail this test, and end an agent, and its successor in the same way.
  test(`a QEMU that ${what} when it is asked for the copy it was making is asked again`, async (t) => {
    let asked = 0;
    const { residents, departures } = await stage(t, (command) => {
      if (command === "query-status") return RUNNING;
      if (command !== "query-migrate") return { return: {} };
      asked += 1;
      return asked === 1 ? first : NEVER_SENT;
    });

    await recover(residents, departures);

    const departure = departures.live(MIGRATION);
    assert.ok(departure !== undefined);
    await until("it is asked again", () => departure.phase === "kept");
    assert.ok(asked > 1);
  });
}

test("an override that is given while the last agent's successor still calls the destination waits for its answer", async (t) => {
  const { store, residents, departures, destination } = await stage(
    t,
    answerOfReleased,
    "released",
  );
  await recover(residents, departures);
  const departure = departures.live(MIGRATION);
  assert.ok(departure !== undefined);

  const overridden = overrideDestination(departure, OVERRIDE, { kind: "plaintext" });
  overridden.catch(() => {}); // awaited below
  await wait(0); // whoever does not wait has decided by then, or does so before it hears this
  destination.emit("data", MeetResponse.fromPartial({ arrival: 7n, verdict: Verdict.PENDING }));

  await assert.rejects(overridden, /on b answers/);
  assert.equal((await store.departures.read(MIGRATION))?.overridden, undefined);
});

test("one that is given for a destination which said perished before is heard once it says so again", async (t) => {
  const { residents, departures, destination } = await stage(t, answerOfReleased, "released");
  await recover(residents, departures);
  const departure = departures.live(MIGRATION);
  assert.ok(departure !== undefined);

  const accepting = { ...OVERRIDE, neverLanded: false, acceptPerished: true };
  const overridden = overrideDestination(departure, accepting, { kind: "plaintext" });
  overridden.catch(() => {}); // awaited below
  await wait(0);
  destination.emit("data", MeetResponse.fromPartial({ arrival: 7n, verdict: Verdict.PERISHED }));

  await overridden;
  await until("the guest is back", () => departure.phase === "kept");
});
