/*
 * Goal: an agent and a keeper that are killed together leave nothing behind, and take nothing along
 * that lives here. Method: the real program, real QEMUs, and SIGKILL for both; the agent is frozen
 * first, or it would see its keeper's end and kill the guest itself.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { guestRunDirectory } from "@ferry/agent-kit";
import { GuestServiceClient, GuestSpec, GuestState, type ListResponse } from "@ferry/contract";
import { credentials } from "@grpc/grpc-js";
import { isRunning } from "../harness/processes.js";
import { until } from "../harness/until.js";
import { LoneHost } from "./support/lone-host.js";

const SPEC = GuestSpec.fromPartial({
  guestId: "web",
  machineType: "pc-q35-7.2",
  cpuModel: "qemu64",
  memoryBytes: 32n * 1024n * 1024n,
});

const homeOn = ({ runDir }: LoneHost) => guestRunDirectory(runDir, "web");

const recordOn = ({ dir }: LoneHost) => join(dir, "state", "guests", "web");

async function startHost(host: LoneHost) {
  const { address, orphans } = await host.start();
  const guests = new GuestServiceClient(address, credentials.createInsecure());
  await until("it to take calls", () => listGuests(guests).catch(() => undefined));
  return { orphans, guests };
}

function startGuest(guests: GuestServiceClient): Promise<unknown> {
  return new Promise((resolve, reject) => {
    guests.start({ expectedAgentId: "", spec: SPEC, paused: false }, (error, response) =>
      error === null ? resolve(response) : reject(error),
    );
  });
}

function listGuests(guests: GuestServiceClient): Promise<ListResponse> {
  return new Promise((resolve, reject) => {
    guests.list({ expectedAgentId: "" }, (error, response) =>
      error === null ? resolve(response) : reject(error),
    );
  });
}

function getGuest(guests: GuestServiceClient) {
  return new Promise<GuestState | undefined>((resolve) => {
    guests.get({ expectedAgentId: "", guestId: "web" }, (_error, response) =>
      resolve(response?.guest?.state),
    );
  });
}

/** A paused QEMU in the run directory of "web", whose agent and keeper are dead. Answers its pid. */
async function leaveOrphan(host: LoneHost): Promise<number> {
  const { guests } = await startHost(host);
  const letGo = host.holdBack();
  startGuest(guests).catch(() => {}); // its agent dies before it answers
  const keeper = await until("its keeper to be there", async () => {
    return (await host.trace())?.keepers.find(({ phase }) => phase === "unfreed");
  });
  await host.killBoth(keeper.identity.pid);
  letGo();
  const qemu = await until("QEMU to be up, and nobody's", async () => {
    return existsSync(join(homeOn(host), "debug.qmp")) ? (await host.trace())?.qemus[0] : undefined;
  });
  return qemu.identity.pid;
}

test("a guest that lives here is not touched, though its agent and its keeper were killed", async (t) => {
  const host = new LoneHost(t, "source");
  const { guests } = await startHost(host);
  await startGuest(guests);
  const trace = await host.trace();
  const [keeper, qemu] = [trace?.keepers[0]?.identity.pid, trace?.qemus[0]?.identity.pid];
  assert.ok(keeper !== undefined && qemu !== undefined);
  await host.killBoth(keeper);
  const again = await startHost(host);
  assert.deepEqual((await again.orphans(true)).orphans, []);
  assert.ok(isRunning(qemu) && existsSync(homeOn(host)));
  assert.equal(await getGuest(again.guests), GuestState.RUNNING);
  assert.doesNotMatch(host.log(), /orphan/);
});

test("a guest whose record is lost is not started beside the QEMU that may run it, and is no lost guest", async (t) => {
  const host = new LoneHost(t, "source");
  const { guests } = await startHost(host);
  await startGuest(guests);
  const pid = (await host.trace())?.qemus[0]?.identity.pid;
  assert.ok(pid !== undefined);
  await host.killAgent();
  rmSync(recordOn(host), { recursive: true });

  const again = await startHost(host);
  await assert.rejects(
    startGuest(again.guests),
    new RegExp(`ALREADY_EXISTS: a QEMU \\(pid ${pid}\\) that no record names .*ferry doctor`),
  );
  assert.deepEqual((await listGuests(again.guests)).guests, []);
  assert.ok(isRunning(pid));

  process.kill(pid, "SIGKILL");
  await until("it to be gone", () => !isRunning(pid));
  await startGuest(again.guests);
  assert.equal(await getGuest(again.guests), GuestState.RUNNING);
});

test("a guest that is being started is not told of as lost", async (t) => {
  const host = new LoneHost(t, "source");
  const { guests } = await startHost(host);
  const letGo = host.holdBack();
  const starting = startGuest(guests);
  await until("its record to be there", () => existsSync(join(recordOn(host), "record.json")));
  assert.deepEqual((await listGuests(guests)).guests, []);
  letGo();
  await starting;
  assert.equal(await getGuest(guests), GuestState.RUNNING);
});

test("a Start whose agent and keeper were killed leaves a paused QEMU, which is swept at the start", async (t) => {
  const host = new LoneHost(t, "source");
  const pid = await leaveOrphan(host);
  const record = readFileSync(join(recordOn(host), "record.json"), "utf8");
  assert.ok(!record.includes("processes"), "its record does not know its QEMU yet");

  const again = await startHost(host);
  assert.deepEqual((await again.orphans(false)).orphans, []); // the start's own sweep came first
  assert.ok(!isRunning(pid) && !existsSync(homeOn(host)));
  assert.match(host.log(), new RegExp(`"pid ${pid}".*an orphan was swept`));
  await startGuest(again.guests);
  assert.equal(await getGuest(again.guests), GuestState.RUNNING);
});

test("guests are told of while the sweep is not over; one that is to be started waits for its end", async (t) => {
  const host = new LoneHost(t, "source");
  const pid = await leaveOrphan(host);
  rmSync(recordOn(host), { recursive: true });
  // Whoever wants to know who lived in the directory waits until somebody writes.
  const processes = join(homeOn(host), "processes.json");
  rmSync(processes, { force: true });
  execFileSync("mkfifo", [processes]);

  const { guests, orphans } = await startHost(host);
  assert.deepEqual((await listGuests(guests)).guests, []);
  const starting = startGuest(guests);
  await until("the orphan to be ended", () => !isRunning(pid) || undefined);
  assert.doesNotMatch(host.log(), /an orphan was/);
  await writeFile(processes, "");
  await starting;
  assert.match(host.log(), new RegExp(`"${homeOn(host)}".*an orphan was swept`));
  assert.deepEqual((await orphans(false)).orphans, []);
  assert.equal(await getGuest(guests), GuestState.RUNNING);
});
