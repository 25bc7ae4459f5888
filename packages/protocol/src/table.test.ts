/* Goal: one function reads a table, and the two tables have no holes that a cast could have hidden. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { destination, hear, source, type Table } from "./index.js";

const door: Table<"open" | "shut", "push" | "knock" | "shout", "ring"> = {
  open: { push: ["shut"], knock: ["open", "ring"], shout: "repeat" },
  shut: { push: ["open", "ring"], knock: "refuse", shout: "repeat" },
};

test("a cell that moves names the next phase and what to do", () => {
  const step = hear(door, "shut", "push");
  assert.deepEqual(step, { answer: "moved", phase: "open", effects: ["ring"] });
});

test("a cell may do something and stay, which is a move all the same", () => {
  const step = hear(door, "open", "knock");
  assert.deepEqual(step, { answer: "moved", phase: "open", effects: ["ring"] });
});

test("a cell that repeats or refuses stays in its phase", () => {
  assert.deepEqual(hear(door, "open", "shout"), { answer: "repeat", phase: "open" });
  assert.deepEqual(hear(door, "shut", "knock"), { answer: "refuse", phase: "shut" });
});

for (const [name, table] of Object.entries({ source, destination })) {
  test(`every phase of the ${name} has a cell for everything it can hear`, () => {
    const rows = Object.entries<object>(table);
    const heard = Object.keys(rows[0]?.[1] ?? {}).sort();
    for (const [phase, row] of rows) assert.deepEqual(Object.keys(row).sort(), heard, phase);
  });

  test(`every move of the ${name} leads to a phase that exists`, () => {
    for (const row of Object.values<object>(table)) {
      for (const cell of Object.values(row)) {
        if (typeof cell !== "string") assert.ok(cell[0] in table, cell[0]);
      }
    }
  });
}
