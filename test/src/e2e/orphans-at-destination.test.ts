/*
 * Goal: an agent and a keeper that are killed together leave nothing behind, and no sweep ever hits a
 * guest that is being prepared. Method: the real program, real QEMUs, and SIGKILL for both; the agent
 * is frozen first, or it would see its keeper's end and kill the guest itself.
 */
import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { guestRunDirectory, makeLogger, makeMetrics, Orphans, parseConfig } from "@ferry/agent-kit";
import {
  Accelerator,
  DestinationServiceClient,
  GuestSpec,
  type PrepareRequest,
  type PrepareResponse,
  Transport,
} from "@ferry/contract";
import { findTraces } from "@ferry/qemu";
import { type ClientDuplexStream, credentials } from "@grpc/grpc-js";
import { isRunning } from "../harness/processes.js";
import { until } from "../harness/until.js";
import { LoneHost } from "./support/lone-host.js";

const MIGRATION = "11111111-2222-4333-8444-555555555555";
const SPEC = GuestSpec.fromPartial({
  machineType: "pc-q35-7.2",
  cpuModel: "qemu64",
  memoryBytes: 32n * 1024n * 1024n,
});

const homeOn = ({ runDir }: LoneHost) => guestRunDirectory(runDir, MIGRATION);

async function startHost(host: LoneHost) {
  const { address, orphans } = await host.start();
  const destination = new DestinationServiceClient(address, credentials.createInsecure());
  await until("it to take calls", () => orphans(false).catch(() => undefined));
  return { orphans, destination };
}

/** Opens a tether. `prepared` resolves with the first word that it is, and rejects with its end. */
function prepare(destination: DestinationServiceClient, migrationId = MIGRATION) {
  const call: ClientDuplexStream<PrepareRequest, PrepareResponse> = destination.prepare();
  let ended = false;
  const prepared = new Promise<void>((resolve, reject) => {
    call.on("data", ({ event }: PrepareResponse) => {
      if (event?.$case === "prepared") resolve();
    });
    call.on("error", (error) => {
      ended = true;
      reject(error);
    });
  });
  prepared.catch(() => {}); // a test may not wait for it
  const description = {
    spec: { ...SPEC, guestId: `guest-${migrationId}` },
    sourceAgentId: "host-2/source",
    sourceHostId: "host-2",
    qemuVersion: "7.2.22",
    accelerator: Accelerator.TCG,
    cpuProperties: {},
    paused: false,
  };
  const open = {
    expectedAgentId: "",
    migrationId,
    description,
    transport: Transport.DIRECT,
    heartbeatIntervalMs: 0,
    network: "",
    validateOnly: false,
  };
  call.write({ message: { $case: "open", value: open } });
  return { prepared, ended: () => ended, cancel: () => call.cancel() };
}

/** A QEMU whose agent and keeper were killed while it started. */
async function abandoned(t: TestContext) {
  const host = new LoneHost(t, "destination");
  const { destination } = await startHost(host);
  const letGo = host.holdBack();
  prepare(destination);
  const record = join(host.dir, "state", "arrivals", MIGRATION, "record.json");
  const keeper = await until("its keeper to be there, and its record", async () => {
    if (!existsSync(record) || !existsSync(join(homeOn(host), "processes.json"))) return undefined;
    return (await host.trace())?.keepers.find(({ phase }) => phase === "unfreed");
  });
  await host.killBoth(keeper.identity.pid);
  letGo();
  const qemu = await until("QEMU to be up, and nobody's", async () => {
    return existsSync(join(homeOn(host), "debug.qmp")) ? (await host.trace())?.qemus[0] : undefined;
  });
  return { host, qemu: qemu.identity.pid };
}

test("an arrival that was being prepared when its agent and its keeper were killed leaves nothing", async (t) => {
  const { host, qemu } = await abandoned(t);
  const { orphans } = await startHost(host);
  await until("it to be gone", () => (!isRunning(qemu) && !existsSync(homeOn(host))) || undefined);
  assert.deepEqual((await orphans(false)).orphans, []);
  assert.match(host.log(), /"to":"returned"/);
});

test("nor does one whose record was never written: it is swept at the start", async (t) => {
  const { host, qemu } = await abandoned(t);
  rmSync(join(host.dir, "state", "arrivals", MIGRATION), { recursive: true });
  rmSync(join(homeOn(host), "processes.json"));
  const { orphans } = await startHost(host);
  assert.ok(!isRunning(qemu) && !existsSync(homeOn(host)));
  assert.match(host.log(), new RegExp(`"pid ${qemu}".*an orphan was swept`));
  assert.deepEqual((await orphans(false)).orphans, []);
});

test("guests that are prepared while both agents of the host sweep without a pause all live", async (t) => {
  const host = new LoneHost(t, "destination");
  const { destination, orphans } = await startHost(host);
  // What the source agent of this host would do: it knows of no arrival but by its record.
  const config = parseConfig(host.yaml, "source");
  const log = makeLogger({ level: "fatal", base: {} }, { write: () => {} });
  const metrics = makeMetrics({ role: "source", process: false });
  const audit = { append: async () => {} };
  const other = new Orphans({ config, log, metrics, audit, inUse: () => [] });
  let over = false;
  let sweeps = 0;
  const sweeping = [() => orphans(true), () => other.sweep("alice")].map(async (sweep) => {
    while (!over) {
      await sweep();
      sweeps += 1;
    }
  });
  const ids = Array.from({ length: 6 }, (_, index) => MIGRATION.replace(/.$/, `${index}`));
  const tethers = ids.map((id) => prepare(destination, id));
  await Promise.all(tethers.map(({ prepared }) => prepared));
  const before = sweeps;
  await until("them to be swept around again", () => sweeps > before + 4 || undefined);
  const traces = await findTraces({ runDir: host.runDir, cgroups: [] });
  assert.equal(
    traces.filter(({ qemus, keepers }) => qemus.length + keepers.length === 2).length,
    6,
  );
  assert.ok(tethers.every(({ ended }) => !ended()));
  for (const tether of tethers) tether.cancel();
  await until("nothing to be left", async () => {
    return (await findTraces({ runDir: host.runDir, cgroups: [] })).length === 0 || undefined;
  });
  over = true;
  await Promise.all(sweeping);
  assert.doesNotMatch(host.log(), /orphan was swept/);
});
