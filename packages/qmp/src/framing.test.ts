/*
 * Goal: whatever QEMU writes comes out as the same lines, however the kernel cuts it up. Method:
 * random texts cut at random bytes, and the limits by hand.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { QmpRubbish } from "./errors.js";
import { Lines } from "./framing.js";

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [0, ...at.map((each) => each % (bytes.length + 1)), bytes.length];
  places.sort((a, b) => a - b);
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}

test("lines come out whole however they are cut up", () => {
  const line = fc
    .string({ unit: "binary" })
    .filter((text) => text.trim() !== "" && !text.includes("\n"));
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat()), (texts, at) => {
      const lines = new Lines();
      const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(""));
      const heard = cut(bytes, at).flatMap((chunk) => [...lines.push(chunk)]);
      assert.deepEqual(
        heard,
        texts.map((text) => Buffer.from(text).toString().trim()),
      );
    }),
  );
});

test("a line of exactly the limit is taken, and one byte more is refused, with or without its end", () => {
  assert.deepEqual([...new Lines(4).push(Buffer.from("abcd\n"))], ["abcd"]);
  for (const text of ["abcde\n", "abcde"]) {
    assert.throws(() => [...new Lines(4).push(Buffer.from(text))], QmpRubbish);
  }
  const lines = new Lines(4);
  assert.deepEqual([...lines.push(Buffer.from("abc"))], []);
  assert.throws(() => [...lines.push(Buffer.from("de"))], /more than 4 bytes/);
});

test("bytes that are not UTF-8 are refused", () => {
  assert.throws(() => [...new Lines().push(Buffer.from([0xc3, 0x28, 0x0a]))], /not UTF-8/);
});
