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
  const endpoint = { key: "s3cret", port: 49152 };
  log.info({ key: "s3cret", endpoint, settings: { open: { psk: "s3cret" } } });
  const [line] = read();
  assert.doesNotMatch(JSON.stringify(line), /s3cret/);
  assert.deepEqual(line?.endpoint, { key: "[redacted]", port: 49152 });
  assert.equal(endpoint.key, "s3cret"); // what was logged is somebody's, and is left alone
});

test("a key beside an error's message is not shown", () => {
  const { log, read } = logging();
  const error = Object.assign(new Error("refused"), { key: "s3cret", to: { psk: "s3cret" } });
  log.error({ err: error }, "a bug");
  assert.doesNotMatch(JSON.stringify(read()), /s3cret/);
  assert.match(JSON.stringify(read()), /refused/);
});

test("errors are logged whole, with what caused them", () => {
  const { log, read } = logging();
  log.error({ err: new Error("outer", { cause: new Error("inner") }) }, "a bug");
  assert.match(JSON.stringify(read()), /outer.*inner/);
  assert.match(JSON.stringify(read()), /logs\.test/);
});
