/*
 * Goal: a QEMU that is asked twice at the same time, because its monitor was lost and found, wakes
 * no guest on which a verdict has fallen. Method: a monitor whose answers are held back by the test.
 */
import assert from "node:assert/strict";
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
