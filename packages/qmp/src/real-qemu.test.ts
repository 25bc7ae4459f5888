/* Goal: what holds with a fake monitor holds with QEMU's own. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect } from "./connection.js";
import { QmpError, QmpLost } from "./errors.js";
import type { Qmp } from "./qmp.js";

async function qemu(t: TestContext): Promise<{ qmp: Qmp; path: string; gone: Promise<unknown> }> {
  const dir = await mkdtemp(join(tmpdir(), "ferry-qmp-"));
  const path = join(dir, "qmp");
  const child = spawn(
    "qemu-system-x86_64",
    ["-machine", "none", "-nodefaults", "-display", "none", "-S"].concat([
      "-qmp",
      `unix:${path},server=on,wait=off`,
    ]),
    { stdio: "inherit" },
  );
  const gone = once(child, "close");
  t.after(async () => {
    child.kill("SIGKILL");
    await gone;
    await rm(dir, { recursive: true, force: true });
  });
  return { qmp: await connect(path, { timeoutMs: 30_000 }), path, gone };
}

test("QEMU answers, refuses, tells events, and is lost when it quits", async (t) => {
  const { qmp, gone } = await qemu(t);
  assert.deepEqual(await qmp.execute("query-name"), {});
  await assert.rejects(qmp.execute("no-such-command"), (error) => {
    assert.ok(error instanceof QmpError);
    assert.equal(error.class, "CommandNotFound");
    return true;
  });
  const events: string[] = [];
  qmp.on("event", ({ event, timestamp }) => {
    assert.ok(timestamp.seconds > 1_600_000_000);
    events.push(event);
  });
  const close = once(qmp, "close");
  await qmp.execute("quit");
  await Promise.all([close, gone]);
  assert.deepEqual(events, ["SHUTDOWN"]);
  await assert.rejects(qmp.execute("cont"), QmpLost);
});

test("a thousand commands at once, and an out-of-band one among them", async (t) => {
  const { qmp } = await qemu(t);
  const all = Array.from({ length: 1_000 }, () => qmp.execute("query-status"));
  // Nothing to yank is QEMU's own refusal: it was read and carried out.
  await assert.rejects(
    qmp.execute("yank", { instances: [{ type: "migration" }] }, { oob: true }),
    QmpError,
  );
  assert.equal((await Promise.all(all)).length, 1_000);
  qmp.close();
});

test("QEMU's longest answer fits, and text of every kind comes back as it went", async (t) => {
  const { qmp } = await qemu(t);
  const schema = await qmp.execute("query-qmp-schema");
  assert.ok(Array.isArray(schema) && schema.length > 500);
  const text = 'Fähre ⛴ "\\ \u0001 \u{1f600}';
  await assert.rejects(qmp.execute("qom-get", { path: text, property: "type" }), (error) => {
    assert.ok(error instanceof QmpError);
    assert.ok(error.description.includes("Fähre ⛴"), error.description);
    return true;
  });
  qmp.close();
});

test("a monitor that was hung up takes its next client; a second one waits its turn", async (t) => {
  const { qmp, path } = await qemu(t);
  await assert.rejects(connect(path, { timeoutMs: 100 }), /another client has this monitor/);
  const next = connect(path, { timeoutMs: 30_000 });
  qmp.close();
  const second = await next;
  assert.deepEqual(await second.execute("query-name"), {});
  second.close();
});
