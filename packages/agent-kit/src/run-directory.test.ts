import assert from "node:assert/strict";
import { test } from "node:test";
import { guestRunDirectory, RUN_DIR_BYTES_MAX } from "./run-directory.js";

test("the longest run_dir and guest id leave room for every socket", () => {
  const runDir = `/${"r".repeat(RUN_DIR_BYTES_MAX - 1)}`;
  const dir = guestRunDirectory(runDir, "g".repeat(64));
  for (const name of ["destination.qmp", "console.sock", "outgoing", "incoming"]) {
    assert.ok(Buffer.byteLength(`${dir}/${name}`) < 108, name);
  }
});

test("one id is one directory, two ids are two, and an id cannot climb out", () => {
  assert.equal(guestRunDirectory("/run/ferry", "a"), guestRunDirectory("/run/ferry", "a"));
  assert.notEqual(guestRunDirectory("/run/ferry", "a"), guestRunDirectory("/run/ferry", "b"));
  assert.match(guestRunDirectory("/run/ferry", "../../etc"), /^\/run\/ferry\/[0-9a-f]+$/);
});
