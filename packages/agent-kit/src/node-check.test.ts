import assert from "node:assert/strict";
import { test } from "node:test";
import { checkMachine } from "./node-check.js";

test("Linux with a new enough Node.js is taken", () => {
  for (const node of ["20.11.0", "20.20.2", "24.0.0"]) checkMachine({ platform: "linux", node });
});

test("an old Node.js is refused by name", () => {
  for (const node of ["18.20.0", "20.10.9", "0.12.0"]) {
    assert.throws(() => checkMachine({ platform: "linux", node }), /20\.11 or newer is needed/);
  }
});

test("another platform is refused by name", () => {
  assert.throws(() => checkMachine({ platform: "darwin", node: "22.1.0" }), /Linux only.*darwin/);
});
