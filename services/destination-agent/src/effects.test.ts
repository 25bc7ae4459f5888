/*
 * Goal: a QEMU that is asked twice at the same time, because its monitor was lost and found, wakes
 * no guest on which a verdict has fallen, and nobody waits in vain for a monitor that another has. Method:
 * a monitor whose answers are held back by the test, and one that greets a single client, as QEMU's do.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { QmpError } from "@ferry/qmp";
import type { Arrival } from "./arrival.js";
import { act } from "./effects.js";

interface Question {
  readonly command: string;
  answer(value: unknown): void;
  refuse(): void;
}

/** An arrival as far as these effects look at one, and what they ask and hear. */
function stage() {
  const questions: Question[] = [];
  const heard: string[] = [];
  const arrival = {
    asked: 0,
    phase: "relanding",
    settled: false,
    record: { guest: { paused: false } },
    qmp: {
      closed: false,
      execute: (command: string) =>
        new Promise((answer, reject) => {
          const refuse = () => reject(new QmpError("GenericError", "no", command));
          questions.push({ command, answer, refuse });
        }),
    },
    async hear(what: string, _why: unknown, still: () => boolean = () => true) {
      if (still()) heard.push(what);
    },
  };
  const settled = () => new Promise(setImmediate);
  // The effects touch nothing else of an arrival, and of a monitor only `execute`.
  return { arrival, effects: arrival as unknown as Arrival, questions, heard, settled };
}

const PAUSED = { status: "paused", running: false };

test("what QEMU answers to a question that was asked again is not heard", async () => {
  const { effects, questions, heard, settled } = stage();
  act(effects, "look");
  act(effects, "look");
  questions[0]?.answer(PAUSED);
  questions[1]?.answer({ status: "running", running: true });
  await settled();
  assert.deepEqual(heard, ["ran"]);
  assert.deepEqual(
    questions.map(({ command }) => command),
    ["query-status", "query-status"],
  );
});

test("a refusal to the earlier of two questions does not decide", async () => {
  const { effects, questions, heard, settled } = stage();
  act(effects, "look");
  questions[0]?.answer(PAUSED);
  await settled();
  assert.equal(questions[1]?.command, "cont");
  act(effects, "look");
  questions[1]?.refuse();
  await settled();
  assert.deepEqual(heard, []);
  questions[2]?.answer(PAUSED);
  await settled();
  questions[3]?.refuse();
  await settled();
  assert.deepEqual(heard, ["contRefused"]);
});

test("a guest on which a verdict fell while QEMU was asked is not woken", async () => {
  const { arrival, effects, questions, heard, settled } = stage();
  act(effects, "look");
  arrival.settled = true;
  questions[0]?.answer(PAUSED);
  await settled();
  assert.deepEqual(
    questions.map(({ command }) => command),
    ["query-status"],
  );
  assert.deepEqual(heard, []);
});

test("an effect that fails is told, and does not end the agent", async () => {
  const { effects, settled } = stage();
  const told: unknown[] = [];
  Object.assign(effects, {
    host: { log: { error: (about: { effect: string }) => told.push(about.effect) } },
    keeper: { kill: () => Promise.reject(new Error("EPERM")) },
  });
  act(effects, "kill");
  await settled();
  assert.deepEqual(told, ["kill"]);
});

test("a monitor that was lost is opened once, however often QEMU is to be looked at meanwhile", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "ferry-look-"));
  let clients = 0;
  const qemu = createServer((client) => {
    clients += 1;
    const say = (word: object) => client.write(`${JSON.stringify(word)}\r\n`);
    t.after(() => client.destroy());
    if (clients > 1) return; // it greets nobody else meanwhile
    say({ QMP: { version: { qemu: { major: 7, minor: 2, micro: 22 } }, capabilities: [] } });
    createInterface({ input: client }).on("line", (line) => {
      const { execute, id } = JSON.parse(line);
      say({ id, return: execute === "query-status" ? { status: "running", running: true } : {} });
    });
  });
  t.after(async () => {
    qemu.close();
    await rm(dir, { recursive: true });
  });
  const { arrival, effects, heard } = stage();
  const woken = new Promise<void>((resolve) => {
    Object.assign(effects, {
      qmp: undefined,
      record: { guest: { paused: false, runDir: dir } },
      keeper: { reaped: new Promise(() => {}), look: () => {} },
      hear: async (what: string, _why: unknown, still: () => boolean) => {
        if (!still()) return;
        heard.push(what);
        resolve();
      },
    });
  });
  act(effects, "look");
  act(effects, "look"); // its loss is told a second later, too
  qemu.listen(join(dir, "destination.qmp"));
  await once(qemu, "listening");
  await woken;
  assert.deepEqual(heard, ["ran"]);
  assert.equal(clients, 1);
  arrival.settled = true;
  effects.qmp?.close();
});
