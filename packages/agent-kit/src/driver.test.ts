import assert from "node:assert/strict";
import { test } from "node:test";
import type { Table } from "@ferry/protocol";
import { Driver, type World } from "./driver.js";

type Phase = "closed" | "open" | "broken";
type Heard = "push" | "kick";
type Effect = "ring" | "creak";

const door: Table<Phase, Heard, Effect> = {
  closed: { push: ["open", "ring", "creak"], kick: ["broken"] },
  open: { push: "repeat", kick: ["broken"] },
  broken: { push: "refuse", kick: "repeat" },
};

/** Writes down everything that is asked of the world, in order. */
function recorder(changes: Partial<World<Phase, Heard, Effect>> = {}) {
  const told: string[] = [];
  const world: World<Phase, Heard, Effect> = {
    write: async (next) => void told.push(`write ${next}`),
    act: (effect) => void told.push(`act ${effect}`),
    moved: ({ from, to, heard }) => void told.push(`${from} hears ${heard}: ${to}`),
    refused: ({ phase, heard }) => void told.push(`${phase} refuses ${heard}`),
    unwritable: () => undefined,
    ...changes,
  };
  return { told, driver: new Driver(door, "closed", world) };
}

test("a step is written before it is acted on, and told afterwards", async () => {
  const { told, driver } = recorder();
  assert.deepEqual(await driver.hear("push"), { answer: "moved", phase: "open" });
  assert.deepEqual(told, ["write open", "act ring", "act creak", "closed hears push: open"]);
});

test("what was answered before is answered again, and touches nothing", async () => {
  const { told, driver } = recorder();
  await driver.hear("push");
  told.length = 0;
  assert.deepEqual(await driver.hear("push"), { answer: "repeat", phase: "open" });
  assert.deepEqual(told, []);
});

test("what is outside the protocol is refused and counted", async () => {
  const { told, driver } = recorder();
  await driver.hear("kick");
  told.length = 0;
  assert.deepEqual(await driver.hear("push"), { answer: "refuse", phase: "broken" });
  assert.deepEqual(told, ["broken refuses push"]);
});

test("one message at a time, in the order they came, however slow the disk", async () => {
  const told: string[] = [];
  const writes: (() => void)[] = [];
  const { driver } = recorder({
    write: (next) => {
      told.push(`write ${next}`);
      return new Promise((resolve) => writes.push(resolve));
    },
  });
  const first = driver.hear("push");
  const second = driver.hear("kick");
  await new Promise(setImmediate);
  assert.deepEqual(told, ["write open"]); // the second waits
  writes.shift()?.();
  await first;
  await new Promise(setImmediate);
  writes.shift()?.();
  assert.equal((await second).phase, "broken");
  assert.deepEqual(told, ["write open", "write broken"]);
});

test("news that is not true any more when its turn comes is dropped", async () => {
  const { told, driver } = recorder();
  assert.deepEqual(await driver.hear("kick", () => false), { answer: "repeat", phase: "closed" });
  assert.deepEqual(told, []);
});

test("a step the disk refused is not taken and not acted on", async () => {
  const full = new Error("full");
  const { told, driver } = recorder({ write: () => Promise.reject(full) });
  assert.deepEqual(await driver.hear("push"), {
    answer: "unwritable",
    phase: "closed",
    error: full,
  });
  assert.deepEqual(told, []);
});

test("what is to be heard instead of an unwritable step is heard in the same turn", async () => {
  const full = new Error("full");
  const { told, driver } = recorder({
    write: (next) => (next === "open" ? Promise.reject(full) : Promise.resolve()),
    unwritable: () => "kick",
  });
  const answer = await driver.hear("push");
  assert.deepEqual(answer, { answer: "unwritable", phase: "broken", error: full });
  assert.deepEqual(told, ["closed hears kick: broken"]);
});

test("a step whose substitute cannot be written either is given up, not repeated for ever", async () => {
  const { driver } = recorder({
    write: () => Promise.reject(new Error("full")),
    unwritable: () => "kick",
  });
  assert.equal((await driver.hear("push")).phase, "closed");
});

test("an ending the disk refused is written before anything else is heard", async () => {
  let full = true;
  const { told, driver } = recorder({
    write: async (next) => {
      if (full) throw new Error("full");
      told.push(`write ${next}`);
    },
    ends: (phase) => phase === "broken",
  });
  assert.equal((await driver.hear("kick")).answer, "unwritable");
  full = false;
  assert.deepEqual(await driver.hear("push"), { answer: "repeat", phase: "closed" });
  assert.deepEqual(told, []);
  assert.deepEqual(await driver.hear("kick"), { answer: "moved", phase: "broken" });
  assert.deepEqual(told, ["write broken", "closed hears kick: broken"]);
});

test("a phase that is no ending and could not be written keeps nothing else from being heard", async () => {
  const { driver } = recorder({
    write: (next) => (next === "open" ? Promise.reject(new Error("full")) : Promise.resolve()),
    ends: (phase) => phase === "broken",
  });
  assert.equal((await driver.hear("push")).answer, "unwritable");
  assert.deepEqual(await driver.hear("kick"), { answer: "moved", phase: "broken" });
});

test("a bug in one turn does not stop the next", async () => {
  let bug = true;
  const { driver } = recorder({
    act: () => {
      if (bug) throw new Error("bug");
    },
  });
  await assert.rejects(driver.hear("push"), /bug/);
  bug = false;
  assert.deepEqual(await driver.hear("kick"), { answer: "moved", phase: "broken" });
});
