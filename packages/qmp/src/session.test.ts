/* Goal: every answer finds its command, and what belongs to nobody is dropped or refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { QmpRubbish } from "./errors.js";
import { GREETING } from "./fake-monitor.js";
import { IN_BAND_MAX, Session } from "./session.js";

function greeted(): Session<string> {
  const session = new Session<string>();
  session.hear(JSON.stringify(GREETING));
  return session;
}

test("the greeting tells the version and what the monitor offers", () => {
  assert.deepEqual(new Session().hear(JSON.stringify(GREETING)), {
    kind: "greeting",
    greeting: { version: "7.2.22", capabilities: ["oob"] },
  });
});

test("a command is one line with its arguments and an id", () => {
  const session = greeted();
  session.ask("a", "yank", { instances: [{ type: "migration" }] }, { oob: true });
  session.ask("b", "cont", undefined);
  assert.deepEqual(session.sendable(), [
    '{"exec-oob":"yank","arguments":{"instances":[{"type":"migration"}]},"id":1}\n',
    '{"execute":"cont","id":2}\n',
  ]);
  assert.deepEqual(session.sendable(), []);
});

test("answers find their commands in any order", () => {
  const session = greeted();
  const first = session.ask("first", "stop", undefined);
  const second = session.ask("second", "cont", undefined);
  session.sendable();
  assert.deepEqual(
    session.hear(JSON.stringify({ id: second, error: { class: "GenericError", desc: "not now" } })),
    { kind: "refused", call: "second", class: "GenericError", description: "not now" },
  );
  assert.deepEqual(session.hear(JSON.stringify({ id: first, return: {} })), {
    kind: "returned",
    call: "first",
    value: {},
  });
  assert.deepEqual(session.unanswered(), []);
});

test("the answer to a forgotten command is dropped", () => {
  const session = greeted();
  const id = session.ask("slow", "query-status", undefined);
  session.sendable();
  session.forget(id);
  assert.deepEqual(session.hear(JSON.stringify({ id, return: {} })), { kind: "late" });
});

test("a command forgotten before it was sent is never sent", () => {
  const session = greeted();
  session.forget(session.ask("a", "cont", undefined));
  assert.deepEqual(session.sendable(), []);
});

test("in-band commands wait for their turn, forgotten ones keep their place, out-of-band ones pass", () => {
  const session = greeted();
  const ids = Array.from({ length: IN_BAND_MAX + 2 }, () => session.ask("in", "query-status", {}));
  assert.equal(session.sendable().length, IN_BAND_MAX);
  session.forget(ids[0] ?? 0); // QEMU still has it: no room yet
  session.ask("out", "yank", {}, { oob: true });
  assert.match(session.sendable().join(""), /^{"exec-oob":"yank"[^\n]*\n$/);
  session.hear(JSON.stringify({ id: ids[0], return: {} }));
  assert.equal(session.sendable().length, 1);
});

test("an event tells its name, its data and when it happened", () => {
  const event = { event: "STOP", data: {}, timestamp: { seconds: 12, microseconds: 34 } };
  assert.deepEqual(greeted().hear(JSON.stringify(event)), { kind: "event", event });
  assert.deepEqual(greeted().hear('{"event":"STOP"}'), {
    kind: "event",
    event: { event: "STOP", data: {}, timestamp: { seconds: -1, microseconds: -1 } },
  });
});

for (const rubbish of [
  "SSH-2.0-OpenSSH_9.2",
  "null",
  "[]",
  '"QMP"',
  "{}",
  '{"return":{}}',
  '{"return":{},"id":7}',
  '{"return":{},"id":"1"}',
  '{"error":{"class":"GenericError","desc":"JSON parse error"}}',
  '{"QMP":{}}',
]) {
  test(`${rubbish} has no place in a conversation`, () => {
    assert.throws(() => greeted().hear(rubbish), QmpRubbish);
  });
}

test("nothing is heard before the greeting", () => {
  assert.throws(() => new Session().hear('{"event":"STOP"}'), /no QMP greeting/);
});
