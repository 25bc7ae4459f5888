/*
 * Goal: a file is believed only if it is whole, ours and of a version we know. Method: one good file,
 * spoiled in every place.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { StoreCorrupt, StoreNewerFormat } from "./errors.js";
import { decode, encode } from "./format.js";

const format = { name: "test", version: 2, schema: z.object({ text: z.string() }) };
const body = { text: "a guest’s name, in two\nlines" };
const good = encode(format, body);

test("a file is read as it was written", () => {
  assert.deepEqual(decode(format, good, "f"), body);
});

test("a file torn at any byte is refused", () => {
  for (let length = 0; length < good.length; length += 1) {
    assert.throws(() => decode(format, good.subarray(0, length), "f"), StoreCorrupt, `${length}`);
  }
});

test("a file whose end was never written, zeros instead, is refused", () => {
  for (let length = 0; length < good.length; length += 1) {
    const torn = Buffer.concat([good.subarray(0, length), Buffer.alloc(good.length - length)]);
    assert.throws(() => decode(format, torn, "f"), StoreCorrupt, `${length}`);
  }
});

test("a file with any one byte changed is refused", () => {
  for (let at = 0; at < good.length; at += 1) {
    const changed = Buffer.from(good);
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
    assert.throws(() => decode(format, changed, "f"), /StoreCorrupt|StoreNewerFormat/, `${at}`);
  }
});

test("the head of one file on the body of another is refused", () => {
  const other = encode(format, { text: "another" });
  const mixed = `${good.toString().split("\n")[0]}\n${other.toString().split("\n")[1]}\n`;
  assert.throws(() => decode(format, Buffer.from(mixed), "f"), StoreCorrupt);
});

test("a file with something after its end is refused", () => {
  assert.throws(() => decode(format, Buffer.concat([good, good]), "f"), StoreCorrupt);
});

test("a newer file is refused by its version, even if its body makes no sense here", () => {
  const newer = encode({ ...format, version: 3, schema: z.object({ n: z.number() }) }, { n: 1 });
  assert.throws(
    () => decode(format, newer, "/state/f"),
    (error) =>
      error instanceof StoreNewerFormat &&
      error.path === "/state/f" &&
      error.message.includes("has format version 3, and this agent knows up to 2"),
  );
});

test("so is one of this version that has what only a later release writes", () => {
  const strict = { ...format, later: () => 'phase "held"' };
  assert.throws(
    () => decode(strict, encode(format, body), "/state/f"),
    (error) => error instanceof StoreNewerFormat && /has phase "held"/.test(error.message),
  );
  const known = { ...format, later: () => undefined };
  assert.deepEqual(decode(known, encode(format, body), "f"), body);
});

test("an older file is read", () => {
  assert.deepEqual(decode(format, encode({ ...format, version: 1 }, body), "f"), body);
});

test("another kind of file is refused, and so is one that is not ours at all", () => {
  const other = encode({ ...format, name: "other" }, body);
  const foreign = ["{}\n{}\n", "null\n", "#!/bin/sh\n", "\0\0\0\0"].map((text) =>
    Buffer.from(text),
  );
  for (const bytes of [other, ...foreign]) {
    assert.throws(() => decode(format, bytes, "f"), StoreCorrupt);
  }
});

test("a whole file whose body is not what it should be is refused, with the field's name", () => {
  const wrong = encode({ ...format, schema: z.object({ text: z.number() }) }, { text: 1 });
  assert.throws(() => decode(format, wrong, "/state/f"), /\/state\/f .*text: /);
});
