/*
 * Goal: the hand codec and the generated one say the same thing on the wire, and no damaged message
 * is taken for bytes of the guest. Method: random messages, cut up at random; every truncation.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TunnelRequest, TunnelResponse } from "./gen/ferry/v1/peer_service.js";
import {
  decodeTunnelRequest,
  decodeTunnelResponse,
  encodeTunnelRequest,
  encodeTunnelResponse,
  TUNNEL_DATA_BYTES_MAX,
} from "./tunnel-codec.js";

const pieces = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
const open = fc.record({ migrationId: fc.string(), key: fc.string() }, { noNullPrototype: true });
const lengths = [0, 1, 127, 128, 16_383, 16_384, 262_144, TUNNEL_DATA_BYTES_MAX];

test("what it writes is byte for byte what the generated codec writes", () => {
  fc.assert(
    fc.property(pieces, (data) => {
      const value = Buffer.concat(data);
      const generated = TunnelRequest.encode({ message: { $case: "data", value } }).finish();
      assert.deepEqual(encodeTunnelRequest({ data }), Buffer.from(generated));
    }),
  );
  fc.assert(
    fc.property(open, (value) => {
      const generated = TunnelRequest.encode({ message: { $case: "open", value } }).finish();
      assert.deepEqual(encodeTunnelRequest({ open: value }), Buffer.from(generated));
    }),
  );
  for (const length of lengths.slice(1)) {
    const data = Buffer.alloc(length, 0x5a);
    const generated = Buffer.from(TunnelResponse.encode({ data }).finish());
    assert.ok(encodeTunnelResponse([data]).equals(generated), `${length} bytes differ`);
  }
});

test("what the generated codec writes, it reads, without copying", () => {
  for (const length of lengths) {
    const value = Buffer.alloc(length, 0xa5);
    const request = Buffer.from(
      TunnelRequest.encode({ message: { $case: "data", value } }).finish(),
    );
    const read = decodeTunnelRequest(request);
    assert.ok("data" in read && read.data.equals(value), `${length} bytes differ`);
    assert.equal(read.data.buffer, request.buffer);
    const response = Buffer.from(TunnelResponse.encode({ data: value }).finish());
    assert.ok(decodeTunnelResponse(response).equals(value), `${length} bytes differ`);
  }
  fc.assert(
    fc.property(open, (value) => {
      const bytes = Buffer.from(
        TunnelRequest.encode({ message: { $case: "open", value } }).finish(),
      );
      assert.deepEqual(decodeTunnelRequest(bytes), { open: value });
    }),
  );
});

test("the generated codec reads what it writes", () => {
  fc.assert(
    fc.property(pieces, (data) => {
      const value = Buffer.concat(data);
      assert.deepEqual(TunnelRequest.decode(encodeTunnelRequest({ data })).message, {
        $case: "data",
        value,
      });
      assert.deepEqual(TunnelResponse.decode(encodeTunnelResponse(data)).data, value);
    }),
  );
});

test("a torn, padded, repeated or unknown field is refused", () => {
  const whole = encodeTunnelRequest({ data: [Buffer.alloc(300, 1)] });
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => decodeTunnelRequest(whole.subarray(0, length)), `cut to ${length} bytes`);
  }
  assert.throws(() => decodeTunnelRequest(Buffer.concat([whole, Buffer.from([0])])));
  assert.throws(() => decodeTunnelRequest(Buffer.concat([whole, whole])));
  assert.throws(() => decodeTunnelRequest(Buffer.from([0x1a, 0x00])));
  assert.throws(() => decodeTunnelResponse(whole));
  assert.throws(() => decodeTunnelResponse(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f])));
});

test("a message over the limit is neither written nor read", () => {
  const value = Buffer.alloc(TUNNEL_DATA_BYTES_MAX + 1);
  assert.throws(() => encodeTunnelResponse([value]), /more bytes/);
  const generated = Buffer.from(TunnelResponse.encode({ data: value }).finish());
  assert.throws(() => decodeTunnelResponse(generated), /more bytes/);
});
