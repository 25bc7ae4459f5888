/*
 * Goal: a copy goes through its gate and no further without us, and whatever ends it before
 * `completed` leaves the guest as it was. Method: real QEMUs, TCP with keys and unix sockets, a
 * destination that freezes or refuses.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { QmpError } from "@ferry/qmp";
import { lookIncoming } from "./incoming.js";
import {
  cancelOutgoing,
  continueOutgoing,
  presetOutgoing,
  putBackOutgoing,
  setDowntimeLimit,
  yankOutgoing,
} from "./outgoing.js";
import { fingerprintOutgoing, lookOutgoing, migrationBlockers } from "./outgoing-look.js";
import { ProgressMeter } from "./progress.js";
import { testHost, until } from "./test-host.js";
import {
  CRAWL_BYTES_PER_SECOND,
  capabilitiesOf,
  KEY,
  listenTcp,
  listenUnix,
  migrationPair,
  type Pair,
  startOutgoing,
  waiting,
} from "./test-migration.js";
import { cont, look } from "./vcpu.js";

const FAST = { bandwidthBytesPerSecond: 0, downtimeLimitMs: 300 };
const CRAWL = { bandwidthBytesPerSecond: CRAWL_BYTES_PER_SECOND, downtimeLimitMs: 1 };

const kinds = (news: readonly { kind: string }[]) => news.map(({ kind }) => kind);
const atGate = ({ sent }: Pair) =>
  until(() => kinds(sent).includes("gate"), "it stands at the gate");
const ended = ({ sent }: Pair) => until(() => kinds(sent).includes("ended"), "it ended");
const running = ({ source }: Pair) =>
  until(async () => (await look(source)).running, "the guest runs on at the source");

for (const transport of ["a port and a key", "a unix socket"] as const) {
  test(`a guest goes over ${transport}: gate, on, loaded, and it runs there`, async (t) => {
    const host = await testHost(t);
    const pair = await migrationPair(host);
    const { source, destination, sent, received } = pair;
    const to = await (transport === "a unix socket" ? listenUnix : listenTcp)(host, pair);
    const meter = new ProgressMeter();

    await startOutgoing(source, { to, ...FAST });
    await atGate(pair);
    const gate = await lookOutgoing(source);
    assert.equal(gate.state, "gate");
    assert.equal((await look(source)).running, false);
    assert.equal(await lookIncoming(destination), "waiting");
    assert.ok(meter.measure(gate).ratio < 1);
    await continueOutgoing(source);
    await ended(pair);
    await until(() => kinds(received).includes("loaded"), "it is loaded");

    const seen = await lookOutgoing(source);
    assert.equal(seen.state, "completed");
    assert.ok(seen.transferredBytes > 0 && seen.totalBytes >= 64 * 1024 * 1024);
    assert.equal(meter.measure(seen).ratio, 1);
    assert.equal(await lookIncoming(destination), "loaded");
    assert.deepEqual((await look(destination)).running, false);
    assert.equal(await cont(destination), "ran");
    await until(() => kinds(received).includes("resumed"), "it runs");

    const stopped = sent.find((news) => news.kind === "stopped");
    const resumed = received.find((news) => news.kind === "resumed");
    assert.ok(stopped && resumed && resumed.atUs > stopped.atUs);
    assert.ok(Math.abs(stopped.atUs / 1000 - Date.now()) < 60_000); // microseconds since 1970
    assert.deepEqual(
      kinds(sent).filter((kind) => kind !== "pass"),
      ["stopped", "gate", "ended"],
    );
  });
}

test("a peer with another key cannot send, and its guest runs on", async (t) => {
  const host = await testHost(t);
  const pair = await migrationPair(host);
  const to = await listenTcp(host, pair, KEY.replace("0", "1"));

  await startOutgoing(pair.source, { to, ...FAST });
  await ended(pair);

  const seen = await lookOutgoing(pair.source);
  assert.equal(seen.state, "failed");
  assert.notEqual(seen.errorDescription, "");
  await running(pair);
  assert.ok(!kinds(pair.received).includes("loaded"));
});

test("a peer without a key gets nothing across, and its guest runs on", async (t) => {
  const host = await testHost(t);
  const pair = await migrationPair(host);
  const { key: _, ...plain } = { key: undefined, ...(await listenTcp(host, pair)) };

  await startOutgoing(pair.source, { to: plain, ...FAST });
  await until(async () => (await lookOutgoing(pair.source)).state !== "setup", "it began");
  // QEMU waits for the answer to a handshake that the other side does not take for one.
  await cancelOutgoing(pair.source, { timeoutMs: 5_000 });

  await running(pair);
  assert.deepEqual(pair.received, []);
});

test("a copy under way is cancelled, and the guest runs on", async (t) => {
  const host = await testHost(t);
  const pair = await migrationPair(host);
  await startOutgoing(pair.source, { to: await listenUnix(host, pair), ...CRAWL });
  await until(async () => (await lookOutgoing(pair.source)).state === "active", "it is active");
  await setDowntimeLimit(pair.source, 2);

  await cancelOutgoing(pair.source, { timeoutMs: 5_000 });

  assert.equal((await lookOutgoing(pair.source)).state, "cancelled");
  await running(pair);
  await cancelOutgoing(pair.source, { timeoutMs: 5_000 }); // nothing left to cancel
});

test("at the gate a guest is taken back, and can be sent again", async (t) => {
  const host = await testHost(t);
  const pair = await migrationPair(host);
  await startOutgoing(pair.source, { to: await listenUnix(host, pair), ...FAST });
  await atGate(pair);

  await cancelOutgoing(pair.source, { timeoutMs: 5_000 });

  await running(pair);
  assert.ok(kinds(pair.sent).includes("stopped"));
  await assert.rejects(continueOutgoing(pair.source), QmpError);
  await putBackOutgoing(pair.source);

  // The first destination's QEMU is of no use any more.
  await pair.destinationKeeper.kill();
  const again = await waiting(host, "again");
  pair.sent.length = 0;
  await startOutgoing(pair.source, { to: await listenTcp(host, again), ...FAST });
  await atGate(pair);
  await continueOutgoing(pair.source);
  await until(() => kinds(again.received).includes("loaded"), "it is loaded");
});

test("a destination that freezes after the gate does not keep the guest: yank frees it", async (t) => {
  const host = await testHost(t);
  const pair = await migrationPair(host);
  await startOutgoing(pair.source, { to: await listenTcp(host, pair), ...FAST });
  await atGate(pair);
  process.kill(pair.destinationKeeper.qemu.pid, "SIGSTOP");
  await continueOutgoing(pair.source);

  await yankOutgoing(pair.source);
  await ended(pair);

  assert.equal((await lookOutgoing(pair.source)).state, "failed");
  await running(pair);
});

test("a guest that was paused is sent paused, and taken back paused", async (t) => {
  const host = await testHost(t);
  const pair = await migrationPair(host, { running: false });
  await startOutgoing(pair.source, { to: await listenUnix(host, pair), ...FAST });
  await atGate(pair);
  assert.ok(!kinds(pair.sent).includes("stopped")); // nobody's blackout
  await cancelOutgoing(pair.source, { timeoutMs: 5_000 });
  assert.equal((await look(pair.source)).running, false);
});

test("what an earlier migration left switched on has no say in the next one", async (t) => {
  const host = await testHost(t);
  const { source } = await migrationPair(host);
  const capabilities = [
    { capability: "auto-converge", state: true },
    { capability: "late-block-activate", state: true },
  ];
  await source.execute("migrate-set-capabilities", { capabilities });

  await presetOutgoing(source, FAST);

  const on = await capabilitiesOf(source);
  assert.deepEqual(on, ["events", "pause-before-switchover", "return-path"]);
});

test("what is set for a migration is put back after it", async (t) => {
  const host = await testHost(t);
  const pair = await migrationPair(host);
  const settings = async () => [
    await pair.source.execute("query-migrate-capabilities"),
    await pair.source.execute("query-migrate-parameters"),
    await pair.source.execute("qom-list", { path: "/objects" }),
  ];
  const before = await settings();
  await startOutgoing(pair.source, { to: await listenTcp(host, pair), ...CRAWL });
  assert.notDeepEqual(await settings(), before);
  await assert.rejects(putBackOutgoing(pair.source), QmpError); // it is under way
  await cancelOutgoing(pair.source, { timeoutMs: 5_000 });

  await putBackOutgoing(pair.source);
  await putBackOutgoing(pair.source); // harmless

  assert.deepEqual(await settings(), before);
});

test("a migration's fingerprint stays until the next one begins", async (t) => {
  const host = await testHost(t);
  const pair = await migrationPair(host);
  const none = await fingerprintOutgoing(pair.source);
  assert.equal((await lookOutgoing(pair.source)).state, "none");

  await startOutgoing(pair.source, { to: await listenUnix(host, pair), ...FAST });
  const begun = await fingerprintOutgoing(pair.source);
  await atGate(pair);
  await continueOutgoing(pair.source);
  await ended(pair);
  const completed = await fingerprintOutgoing(pair.source);

  assert.equal(new Set([none, begun, completed]).size, 3);
  assert.equal(await fingerprintOutgoing(pair.source), completed);
  await cont(pair.source); // custody came back: it says the same of the old migration
  assert.equal(await fingerprintOutgoing(pair.source), completed);
});

test("why a guest cannot be migrated is told in QEMU's words", async (t) => {
  const host = await testHost(t);
  const free = await host.guest("free", ["-M", "q35", "-nodefaults", "-display", "none", "-S"]);
  const bound = await host.guest("bound", [
    ...["-M", "q35", "-nodefaults", "-display", "none", "-S"],
    ...["-object", "memory-backend-memfd,id=m,size=1M,share=on"],
    ...["-device", "ivshmem-plain,memdev=m,master=off"],
  ]);

  assert.deepEqual(await migrationBlockers(free.qmp), []);
  assert.match((await migrationBlockers(bound.qmp)).join(), /ivshmem/);
});
