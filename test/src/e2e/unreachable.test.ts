/*
 * Goal: a guest whose run directory was removed under it runs on undisturbed, and whoever asks is told that it
 * cannot be reached, why, and that it must not be started elsewhere; the log is not filled with it. It is
 * taken up again once it can be. Method: the real program and a real QEMU, whose run directory is put aside.
 */
import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import { test } from "node:test";
import { guestRunDirectory } from "@ferry/agent-kit";
import {
  type BeginRequest,
  type Guest,
  GuestServiceClient,
  GuestSpec,
  GuestState,
  readFault,
  SourceServiceClient,
} from "@ferry/contract";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import { isRunning } from "../harness/processes.js";
import { until } from "../harness/until.js";
import { LoneHost } from "./support/lone-host.js";

const SPEC = GuestSpec.fromPartial({
  guestId: "web",
  machineType: "pc-q35-7.2",
  cpuModel: "qemu64",
  memoryBytes: 32n * 1024n * 1024n,
});
const WEB = { expectedAgentId: "", guestId: "web" };
const BEGIN = { ...WEB, validateOnly: false, path: undefined };

async function startHost(host: LoneHost) {
  const { address, orphans } = await host.start();
  const plain = credentials.createInsecure();
  const guests = new GuestServiceClient(address, plain);
  const source = new SourceServiceClient(address, plain);
  const get = () =>
    new Promise<Guest | undefined>((resolve) => {
      guests.get(WEB, (_error, response) => resolve(response?.guest));
    });
  const begin = (request: BeginRequest) =>
    new Promise<ServiceError | null>((resolve) => {
      source.begin(request, (error) => resolve(error));
    });
  const pause = () =>
    new Promise<ServiceError | null>((resolve) => {
      guests.pause(WEB, (error) => resolve(error));
    });
  const start = () =>
    new Promise<void>((resolve, reject) => {
      const request = { expectedAgentId: "", spec: SPEC, paused: false };
      guests.start(request, (error) => (error === null ? resolve() : reject(error)));
    });
  await until("it to take calls", async () => {
    const error = await begin({ ...BEGIN, migrationId: "" });
    return readFault(error)?.reason === "INVALID_REQUEST";
  });
  return { begin, get, orphans, pause, start };
}

test("a guest whose run directory is gone is told to be out of reach, and is left alone until it is back", async (t) => {
  const host = new LoneHost(t, "source");
  const first = await startHost(host);
  await first.start();
  const runDir = guestRunDirectory(host.runDir, "web");
  const pid = (await first.get())?.qemuPid ?? 0;
  await host.killAgent();
  renameSync(runDir, `${runDir}.aside`);

  const { begin, get, orphans, pause } = await startHost(host);
  const guest = await until("it to be told", async () => {
    const found = await get();
    return found?.state === GuestState.UNREACHABLE ? found : undefined;
  });
  assert.equal(guest.qemuPid, pid);
  assert.match(guest.reason, /run directory .* is gone/);
  const migrationId = "5b7e4f1c-2a60-4d7e-9d3b-0a4e3f6a7c11";
  for (const error of [await begin({ ...BEGIN, migrationId }), await pause()]) {
    const fault = readFault(error);
    assert.equal(fault?.reason, "GUEST_UNREACHABLE");
    assert.match(fault.message, /run directory .* is gone/);
    assert.match(fault.next ?? "", /Never start it elsewhere/);
  }
  const { orphans: swept } = await orphans(true);
  assert.ok(swept.every(({ swept: isGone }) => !isGone));
  assert.ok(isRunning(pid));

  renameSync(`${runDir}.aside`, runDir);
  await until("it to be taken up again", async () => {
    const found = await get();
    return found?.state === GuestState.RUNNING && found.reason === "";
  });
  const said = host.log().match(/it is left as it is|answers again/g);
  assert.deepEqual(said, ["it is left as it is", "answers again"], "each change is said once");
  assert.equal((await get())?.qemuPid, pid);
});
