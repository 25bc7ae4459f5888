import assert from "node:assert/strict";
import { test } from "node:test";
import { makeLogger } from "./logs.js";

function logging() {
  const lines: string[] = [];
  const log = makeLogger(
    { level: "info", base: { agent_id: "a/source" } },
    { write: (line: string) => void lines.push(line) },
  );
  return { log, read: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test("a line is JSON with the level as a word, the agent, and a readable time", () => {
  const { log, read } = logging();
  log.info({ migration_id: "m" }, "empty → preparing");
  const [line] = read();
  assert.equal(line?.level, "info");
  assert.equal(line?.agent_id, "a/source");
  assert.equal(line?.migration_id, "m");
  assert.match(String(line?.time), /^\d{4}-\d\d-\d\dT/);
});

test("a key that is logged by mistake is not shown, at the top or inside", () => {
  const { log, read } = logging();
  log.info({ key: "s3cret", endpoint: { key: "s3cret" }, settings: { open: { psk: "s3cret" } } });
  assert.doesNotMatch(JSON.stringify(read()), /s3cret/);
  assert.match(JSON.stringify(read()), /redacted/);
});

test("errors are logged whole, with what caused them", () => {
  const { log, read } = logging();
  log.error({ err: new Error("outer", { cause: new Error("inner") }) }, "a bug");
  assert.match(JSON.stringify(read()), /outer.*inner/);
  assert.match(JSON.stringify(read()), /logs\.test/);
});
