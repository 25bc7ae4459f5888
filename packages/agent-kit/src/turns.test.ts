import assert from "node:assert/strict";
import { test } from "node:test";
import { Turns } from "./turns.js";

function latch() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

test("work under one name runs one after the other, in order", async () => {
  const turns = new Turns();
  const { open, opened } = latch();
  const done: string[] = [];
  const first = turns.take("guest", async () => {
    await opened;
    done.push("first");
  });
  const second = turns.take("guest", async () => done.push("second"));
  open();
  await Promise.all([first, second]);
  assert.deepEqual(done, ["first", "second"]);
});

test("work under another name does not wait", async () => {
  const turns = new Turns();
  const { open, opened } = latch();
  const slow = turns.take("one", () => opened);
  assert.equal(await turns.take("other", async () => "done"), "done");
  open();
  await slow;
});

test("work that fails does not stop the next", async () => {
  const turns = new Turns();
  const failing = turns.take("guest", async () => {
    throw new Error("no");
  });
  const next = turns.take("guest", async () => "yes");
  await assert.rejects(failing, /no/);
  assert.equal(await next, "yes");
});
