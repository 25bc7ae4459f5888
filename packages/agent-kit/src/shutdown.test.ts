import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { until } from "./calls-for-tests.js";
import { makeLogger } from "./logs.js";
import { endOnSignals } from "./shutdown.js";

/** An agent whose end is written down step by step, in a process of the test's own making. */
function setUp(stop: () => Promise<void> = async () => {}) {
  const told: string[] = [];
  const us = Object.assign(new EventEmitter(), {
    exit: (code: number) => void told.push(`exit ${code}`),
  });
  const lines: string[] = [];
  endOnSignals({
    log: makeLogger({ level: "info", base: {} }, { write: (line) => void lines.push(line) }),
    flush: async () => void told.push("flush"),
    flushNow: () => void told.push("flush now"),
    stop: async () => {
      told.push("stop");
      await stop();
      told.push("stopped");
    },
    withinMs: 50,
    process: us as never, // only `on` and `exit` are used
  });
  const exited = () => until("the process exits", () => told.some((each) => /^exit/.test(each)));
  return { told, us, lines, exited };
}

test("a signal ends the agent in order, writes its log out and exits 0", async () => {
  for (const signal of ["SIGTERM", "SIGINT"]) {
    const { told, us, exited } = setUp();
    us.emit(signal);
    await exited();
    assert.deepEqual(told, ["stop", "stopped", "flush", "exit 0"]);
  }
});

test("a second signal ends it at once", () => {
  const { told, us } = setUp(() => new Promise(() => {}));
  us.emit("SIGTERM");
  us.emit("SIGINT");
  assert.deepEqual(told, ["stop", "flush now", "exit 1"]);
});

test("steps that do not end are given up, and the exit code says so", async () => {
  const { told, us, lines, exited } = setUp(() => new Promise(() => {}));
  us.emit("SIGTERM");
  await exited();
  assert.deepEqual(told, ["stop", "flush", "exit 1"]);
  assert.match(lines.join(""), /takes too long/);
});

test("steps that go wrong are logged, and the exit code says so", async () => {
  const { told, us, lines, exited } = setUp(() => Promise.reject(new Error("no")));
  us.emit("SIGTERM");
  await exited();
  assert.deepEqual(told, ["stop", "flush", "exit 1"]);
  assert.match(lines.join(""), /went wrong/);
});

test("a bug is written down before the process ends", () => {
  for (const kind of ["uncaughtException", "unhandledRejection"]) {
    const { told, us, lines } = setUp();
    us.emit(kind, new Error("half a mind"));
    assert.deepEqual(told, ["flush now", "exit 1"]);
    assert.match(lines.join(""), /"fatal".*half a mind/s);
  }
});
