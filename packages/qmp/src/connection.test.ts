/* Goal: a monitor is opened as soon as there is one, and a vain attempt says what was tried. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect } from "./connection.js";
import { QmpLost } from "./errors.js";
import { FakeMonitor } from "./fake-monitor.js";

async function directory(t: TestContext): Promise<string> {
  const dir = await FakeMonitor.directory();
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

test("a monitor that comes later is waited for", async (t) => {
  const dir = await directory(t);
  const connecting = connect(join(dir, "qmp"), { timeoutMs: 10_000 });
  await new Promise(setImmediate); // it has looked in vain at least once
  const monitor = await FakeMonitor.start({}, dir);
  t.after(() => monitor.stop());
  (await connecting).close();
});

test("a socket nobody answers on any more is waited for too", async (t) => {
  const dir = await directory(t);
  const path = join(dir, "qmp");
  await writeFile(path, ""); // refuses like a socket whose QEMU was killed
  const connecting = connect(path, { timeoutMs: 10_000 });
  await new Promise(setImmediate);
  await rm(path);
  const monitor = await FakeMonitor.start({}, dir);
  t.after(() => monitor.stop());
  (await connecting).close();
});

test("no socket within the time: the error tells where, how long and how often", async (t) => {
  const path = join(await directory(t), "qmp");
  await assert.rejects(connect(path, { timeoutMs: 50 }), (error) => {
    assert.ok(error instanceof QmpLost);
    assert.match(error.message, /^no monitor at \/.*\/qmp: not within 50 ms, tries: \d+, .*ENOENT/);
    return true;
  });
});

test("a monitor that does not greet: the error says who may have it", async (t) => {
  const monitor = await FakeMonitor.start({ greeting: null });
  t.after(() => monitor.stop());
  await assert.rejects(
    connect(monitor.path, { timeoutMs: 50 }),
    /not within 50 ms, tries: 1, .*does not greet \(stuck, or another client has this monitor\)/,
  );
});

test("a monitor for which no descriptor is left just now is tried again", async (t) => {
  const monitor = await FakeMonitor.start();
  t.after(() => monitor.stop());
  assert.equal(spawnSync("prlimit", [`--pid=${process.pid}`, "--nofile=256:"]).status, 0);
  await new Promise(setImmediate); // what was closed before is given back by then
  const held: number[] = [];
  const giveBack = () => {
    for (const descriptor of held.splice(0)) closeSync(descriptor);
  };
  t.after(giveBack);
  const fill = () => {
    for (;;) held.push(openSync("/dev/null", "r"));
  };
  assert.throws(fill, { code: "EMFILE" });
  await assert.rejects(connect(monitor.path, { timeoutMs: 500 }), /not within 500 ms, .*EMFILE/);

  const connecting = connect(monitor.path, { timeoutMs: 10_000 });
  await new Promise(setImmediate);
  giveBack();

  (await connecting).close();
});

test("something that is not a monitor is not tried again", async (t) => {
  const monitor = await FakeMonitor.start({ greeting: "SSH-2.0-OpenSSH_9.2" });
  t.after(() => monitor.stop());
  await assert.rejects(connect(monitor.path, { timeoutMs: 60_000 }), /not QMP/);
});

test("whoever knows better gives up early", async (t) => {
  const path = join(await directory(t), "qmp");
  const giveUp = new AbortController();
  const connecting = connect(path, { timeoutMs: 60_000, signal: giveUp.signal });
  giveUp.abort();
  await assert.rejects(connecting, /given up by the caller/);
});

test("a path no socket can have is refused at once, and says what to do", async () => {
  const path = `/${"x".repeat(107)}`;
  await assert.rejects(
    connect(path, { timeoutMs: 60_000 }),
    /has 108 bytes .* shorter run directory/,
  );
});
