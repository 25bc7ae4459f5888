import assert from "node:assert/strict";
import { test } from "node:test";
import { Undo } from "./undo.js";

test("every step is taken, the last one first, whatever becomes of the others", async () => {
  const undo = new Undo();
  const taken: string[] = [];
  undo.push(() => void taken.push("lock"));
  undo.push(
    () => Promise.reject(new Error("second")),
    () => {
      throw new Error("first");
    },
    async () => void taken.push("server"),
  );
  await assert.rejects(undo.all(), /first/);
  assert.deepEqual(taken, ["server", "lock"]);
  await undo.all(); // nothing is done twice
  assert.deepEqual(taken, ["server", "lock"]);
});
