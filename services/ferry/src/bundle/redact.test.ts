/*
 * Goal: a bug report gives nothing away, and is still of use. Method: what is known to be secret is put
 * wherever it could stand, and what must survive stands beside it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { redact, redactLines, redactText } from "./redact.js";

const KEY = "a1".repeat(32);
const PEM = `-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIGh\n-----END PRIVATE KEY-----`;

test("what is called a secret is not told, however it is written", () => {
  const names = ["key", "psk", "ticket", "password", "privateKey", "tls_key", "commandLine"];
  for (const name of names) {
    const told = JSON.stringify(redact({ deep: [{ [name]: "hush", keyed: 1 }] }));
    assert.ok(!told.includes("hush"), `${name}: ${told}`);
    assert.ok(told.includes('"keyed":1'));
  }
  assert.deepEqual(redact({ keepalive: { time_ms: 5 }, monkey: "x", key: undefined }), {
    keepalive: { time_ms: 5 },
    monkey: "x",
    key: undefined,
  });
});

test("what looks like a secret is not told, wherever it stands", () => {
  for (const text of [
    `QEMU said ${KEY}.`,
    JSON.stringify({ err: { message: `bad key ${KEY}` } }),
    `{"torn":"${KEY}`,
    `before\n${PEM}\nafter`,
    "http://me:hush@collector/",
  ]) {
    const told = redactLines(text) + redactText(text);
    for (const secret of [KEY, "hush"]) assert.ok(!told.includes(secret), told);
  }
  assert.equal(redactText(`before\n${PEM}\nafter`), "before\n[redacted]\nafter");
});

test("what must be read is left: ids, traces, and the chain of the audit log", () => {
  const line = JSON.stringify({
    migration_id: "6f1c0b6e-8f55-4b8e-9d52-0b8f1d1a2b3c",
    trace_id: "0af7651916cd43dd8448eb211c80319c",
    before: KEY,
    sha256: KEY,
    paused: false,
  });
  assert.equal(redactLines(line), line);
});
