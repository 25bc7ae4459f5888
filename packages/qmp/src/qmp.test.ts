/*
 * Goal: a caller hears an answer, a refusal, or that nothing was heard, and never mistakes one for
 * another. Method: a small program on a real socket that misbehaves in every way we know of.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { connect } from "./connection.js";
import { QmpError, QmpLost, QmpSilence, QmpTimeout } from "./errors.js";
import { FakeMonitor, type FakeMonitorOptions } from "./fake-monitor.js";
import { LINE_BYTES_MAX } from "./framing.js";
import type { Qmp } from "./qmp.js";
import { IN_BAND_MAX } from "./session.js";

interface Pair {
  readonly monitor: FakeMonitor;
  readonly qmp: Qmp;
}

async function pair(t: TestContext, options: FakeMonitorOptions): Promise<Pair> {
  const monitor = await FakeMonitor.start(options);
  t.after(() => monitor.stop());
  const qmp = await connect(monitor.path, { timeoutMs: 5_000 });
  t.after(() => qmp.close());
  return { monitor, qmp };
}

/** Answers with the command's arguments. */
const echo: FakeMonitorOptions = {
  onCommand: (command, monitor) => monitor.say({ return: command.arguments, id: command.id }),
};

test("a command returns what QEMU answered", async (t) => {
  const { qmp } = await pair(t, echo);
  assert.deepEqual(await qmp.execute("echo", { text: "Fähre ⛴" }), { text: "Fähre ⛴" });
});

test("QEMU's refusal tells its class, its words and the command", async (t) => {
  const { qmp } = await pair(t, {
    onCommand: ({ id }, monitor) =>
      monitor.say({ error: { class: "DeviceNotFound", desc: "no such device" }, id }),
  });
  await assert.rejects(qmp.execute("device_del"), (error) => {
    assert.ok(error instanceof QmpError && !(error instanceof QmpSilence));
    assert.deepEqual(
      [error.class, error.description, error.command],
      ["DeviceNotFound", "no such device", "device_del"],
    );
    return true;
  });
});

test("an answer cut inside a character comes out whole", async (t) => {
  const { qmp } = await pair(t, {
    onCommand: async ({ id }, monitor) => {
      for (const byte of Buffer.from(`${JSON.stringify({ return: "⛴", id })}\n`)) {
        monitor.write(Buffer.of(byte));
        await new Promise(setImmediate);
      }
    },
  });
  assert.equal(await qmp.execute("echo"), "⛴");
});

test("a command that is not answered in time is silence, and its late answer is dropped", async (t) => {
  const { monitor, qmp } = await pair(t, {
    onCommand: ({ execute, id }, each) => {
      if (execute === "prompt") each.say({ return: "prompt", id });
    },
  });
  await assert.rejects(qmp.execute("slow", {}, { timeoutMs: 20 }), (error) => {
    assert.ok(error instanceof QmpTimeout && error instanceof QmpSilence);
    assert.match(error.message, /did not answer slow within 20 ms; it may still carry it out/);
    return true;
  });
  monitor.say({ return: "late", id: monitor.commands[0]?.id });
  assert.equal(await qmp.execute("prompt"), "prompt");
  assert.equal(qmp.closed, false);
});

test("a command that ran out of time before its turn is never sent", async (t) => {
  const { monitor, qmp } = await pair(t, {});
  const stuck = Array.from({ length: IN_BAND_MAX }, () => qmp.execute("stuck"));
  await assert.rejects(qmp.execute("cont", {}, { timeoutMs: 20 }), QmpTimeout);
  for (const { id } of monitor.commands) monitor.say({ return: {}, id });
  await Promise.all(stuck);
  monitor.hangUp();
  await once(qmp, "close");
  assert.ok(!monitor.commands.some(({ execute }) => execute === "cont"));
});

test("an out-of-band command passes those that are stuck", async (t) => {
  const { monitor, qmp } = await pair(t, {
    onCommand: (command, each) => {
      if (command["exec-oob"] === "yank") each.say({ return: {}, id: command.id });
    },
  });
  const stuck = Array.from({ length: 100 }, () => qmp.execute("stuck"));
  const lost = Promise.allSettled(stuck);
  assert.deepEqual(await qmp.execute("yank", { instances: [] }, { oob: true }), {});
  assert.equal(monitor.commands.length, IN_BAND_MAX + 1);
  qmp.close();
  assert.ok((await lost).every(({ status }) => status === "rejected"));
});

test("where out-of-band is not offered, the command goes in band", async (t) => {
  const { monitor, qmp } = await pair(t, {
    ...echo,
    greeting: '{"QMP":{"version":{},"capabilities":[]}}',
  });
  await qmp.execute("yank", {}, { oob: true });
  assert.equal(monitor.commands[0]?.execute, "yank");
});

test("a thousand commands at once are all answered, each with its own", async (t) => {
  const { qmp } = await pair(t, echo);
  const numbers = Array.from({ length: 1_000 }, (_, number) => number);
  const answers = await Promise.all(numbers.map((number) => qmp.execute("echo", { number })));
  assert.deepEqual(
    answers,
    numbers.map((number) => ({ number })),
  );
});

test("a monitor that closes fails every command, emits close once, and takes no more", async (t) => {
  const { qmp } = await pair(t, { onCommand: (_command, monitor) => monitor.hangUp() });
  let closes = 0;
  qmp.on("close", () => {
    closes += 1;
  });
  const commands = await Promise.allSettled([qmp.execute("cont"), qmp.execute("stop")]);
  for (const each of commands) {
    assert.ok(each.status === "rejected" && each.reason instanceof QmpLost);
    assert.match(each.reason.message, /^no answer to (cont|stop): QEMU closed the monitor/);
  }
  assert.equal(qmp.closed, true);
  await assert.rejects(qmp.execute("cont"), /cont was not sent: QEMU closed the monitor/);
  qmp.close();
  await new Promise(setImmediate);
  assert.equal(closes, 1);
});

test("closing fails what is on its way, and says that it was us", async (t) => {
  const { qmp } = await pair(t, {});
  const command = qmp.execute("cont");
  const close = once(qmp, "close");
  qmp.close();
  assert.equal(qmp.closed, true);
  await assert.rejects(command, /no answer to cont: the monitor was closed here/);
  await close;
});

test("events come in their order, with their data and their time", async (t) => {
  const { monitor, qmp } = await pair(t, {});
  const heard: string[] = [];
  const second = new Promise<void>((resolve) => {
    qmp.on("event", ({ event, data, timestamp }) => {
      heard.push(`${event} ${JSON.stringify(data)} ${timestamp.seconds}.${timestamp.microseconds}`);
      if (heard.length === 2) resolve();
    });
  });
  monitor.say({ event: "STOP", timestamp: { seconds: 1, microseconds: 2 } });
  monitor.say({
    event: "MIGRATION",
    data: { status: "setup" },
    timestamp: { seconds: 3, microseconds: 4 },
  });
  await second;
  assert.deepEqual(heard, ["STOP {} 1.2", 'MIGRATION {"status":"setup"} 3.4']);
});

for (const [what, write, reason] of [
  ["text that is not JSON", "hello\n", /not QMP: a line that is not JSON: "hello"/],
  ["an answer to nobody's command", '{"return":{},"id":99}\n', /command 99, which nobody gave/],
  ["a line without end", "x".repeat(LINE_BYTES_MAX + 1), /a line of more than 16777216 bytes/],
  ["an event named error", '{"event":"error"}\n{"oops":1}\n', /neither an answer nor an event/],
] as const) {
  test(`${what} ends the connection with a reason, and nothing else`, async (t) => {
    const { monitor, qmp } = await pair(t, {});
    const command = qmp.execute("cont");
    monitor.write(write);
    await assert.rejects(command, reason);
    assert.match(qmp.lost?.message ?? "", reason);
  });
}

test("an idle monitor does not hold the process if asked not to", async (t) => {
  const { monitor } = await pair(t, echo);
  const other = await FakeMonitor.start(echo);
  t.after(() => other.stop());
  const qmp = await connect(other.path, { timeoutMs: 5_000, idleHoldsProcess: false });
  t.after(() => qmp.close());
  const held = () => process.getActiveResourcesInfo().filter((each) => each === "PipeWrap").length;
  const idle = held();
  const command = qmp.execute("echo", {});
  assert.equal(held(), idle + 1);
  await command;
  assert.equal(held(), idle);
  assert.ok(monitor.path);
});
