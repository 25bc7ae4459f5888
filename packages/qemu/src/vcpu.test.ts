import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { QmpSilence } from "@ferry/qmp";
import { continueOutgoing } from "./outgoing.js";
import { testHost, until } from "./test-host.js";
import { listenUnix, migrationPair, startOutgoing } from "./test-migration.js";
import { cont, look, powerdown, stop } from "./vcpu.js";

test("a guest runs, stops and hears its power button", async (t) => {
  const host = await testHost(t);
  const { source } = await migrationPair(host, { running: false });
  assert.deepEqual(await look(source), { status: "prelaunch", running: false });

  assert.equal(await cont(source), "ran");
  assert.equal(await cont(source), "ran"); // it runs already
  assert.deepEqual(await look(source), { status: "running", running: true });

  const events: string[] = [];
  source.on("event", ({ event }) => events.push(event));
  await powerdown(source);
  await until(() => events.includes("POWERDOWN"), "the button is pressed");
  await stop(source);
  await stop(source);
  assert.deepEqual(await look(source), { status: "paused", running: false });
});

test("a guest that is still arriving is never told to run", async (t) => {
  const host = await testHost(t);
  const pair = await migrationPair(host);
  const to = await listenUnix(host, pair);

  await assert.rejects(cont(pair.destination), /still loading/);
  await assert.rejects(cont(pair.destination, await look(pair.destination)), /still loading/);

  await startOutgoing(pair.source, { to, bandwidthBytesPerSecond: 0, downtimeLimitMs: 300 });
  await until(() => pair.sent.some(({ kind }) => kind === "gate"), "it stands at the gate");
  await continueOutgoing(pair.source);
  await until(() => pair.received.some(({ kind }) => kind === "loaded"), "it is loaded");
  assert.equal((await look(pair.destination)).running, false); // nobody said so
});

test("QEMU's own no is a refusal: a disk that another QEMU has locked", async (t) => {
  const host = await testHost(t);
  const image = join(host.dir, "disk");
  await writeFile(image, Buffer.alloc(1024 * 1024));
  const disk = `driver=raw,node-name=d,file.driver=file,file.filename=${image},file.locking=on`;
  const argv = ["-blockdev", disk, "-device", "virtio-blk-pci,drive=d"];
  const pair = await migrationPair(host, { argv });
  const to = await listenUnix(host, pair);
  await startOutgoing(pair.source, { to, bandwidthBytesPerSecond: 0, downtimeLimitMs: 300 });
  await until(() => pair.sent.some(({ kind }) => kind === "gate"), "it stands at the gate");
  await continueOutgoing(pair.source);
  await until(() => pair.received.some(({ kind }) => kind === "loaded"), "it is loaded");
  await until(async () => (await look(pair.source)).status === "postmigrate", "it is over");
  // A loaded destination holds no lock, so the source can still take the guest back.
  assert.equal(await cont(pair.source), "ran");

  const answer = await cont(pair.destination);

  assert.ok(answer !== "ran" && answer.refused.includes("lock"), JSON.stringify(answer));
});

test("a QEMU that does not answer has refused nothing", async (t) => {
  const host = await testHost(t);
  const { source, sourceKeeper } = await migrationPair(host, { running: false });
  process.kill(sourceKeeper.qemu.pid, "SIGSTOP");
  const asked = assert.rejects(cont(source), QmpSilence);
  await sourceKeeper.kill();
  await asked;
  await assert.rejects(cont(source), QmpSilence);
});
