/*
 * Goal: a trace that a controller began is gone on with, a broken one is as good as none, and a caller
 * that is refused learns what the agent's log calls its call.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Metadata, status } from "@grpc/grpc-js";
import { DETAILS_KEY, Fault, toStatus } from "./faults.js";
import { readFault } from "./read-fault.js";
import {
  isRequestId,
  migrationSpanIdOf,
  readTraceparent,
  traceIdOf,
  withRequestInfo,
  writeTraceparent,
} from "./trace-context.js";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

test("a traceparent is read and written as W3C has it", () => {
  const text = `00-${TRACE}-${SPAN}-01`;
  assert.deepEqual(readTraceparent(text), { traceId: TRACE, spanId: SPAN, sampled: true });
  assert.equal(writeTraceparent({ traceId: TRACE, spanId: SPAN, sampled: true }), text);
  assert.equal(readTraceparent(`00-${TRACE}-${SPAN}-02`)?.sampled, false);
  // A later version may have more behind it; what stands in front means the same.
  assert.equal(readTraceparent(`cc-${TRACE}-${SPAN}-01-what-comes`)?.traceId, TRACE);
});

test("what is no traceparent is as good as none", () => {
  for (const text of [
    undefined,
    "",
    TRACE,
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01-more`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    ` 00-${TRACE}-${SPAN}-01`,
  ]) {
    assert.equal(readTraceparent(text), undefined, text);
  }
});

test("without a controller's trace both agents come to the same by themselves", () => {
  const id = "6F1C0B6E-8f55-4b8e-9d52-0b8f1d1a2b3c";
  assert.equal(traceIdOf(id), "6f1c0b6e8f554b8e9d520b8f1d1a2b3c");
  assert.equal(migrationSpanIdOf(id, "source"), migrationSpanIdOf(id.toLowerCase(), "source"));
  assert.notEqual(migrationSpanIdOf(id, "source"), migrationSpanIdOf(id, "destination"));
  const nil = "00000000-0000-0000-0000-000000000000";
  const spanId = migrationSpanIdOf(nil, "source");
  const text = writeTraceparent({ traceId: traceIdOf(nil), spanId, sampled: true });
  assert.notEqual(readTraceparent(text), undefined, "all zeros would be no trace");
});

test("only what a log line and a trailer can hold is taken for a request id", () => {
  assert.ok(isRequestId("req-1/ä".replace("ä", "a")));
  for (const text of ["", " ", "a b", "ä", "line\nbreak", "x".repeat(129)]) {
    assert.equal(isRequestId(text), false, JSON.stringify(text));
  }
});

test("the request id joins what a refusal says already, and is read back", () => {
  const refused = toStatus(new Fault("DRAINING", "this agent is shutting down"));
  const [packed] = refused.metadata.get(DETAILS_KEY);
  assert.ok(Buffer.isBuffer(packed));
  const metadata = new Metadata();
  const { code, details: message } = refused;
  metadata.set(DETAILS_KEY, withRequestInfo(packed, { code, message, requestId: "r-1" }));
  const fault = readFault({ metadata });
  assert.deepEqual(
    [fault?.reason, fault?.requestId, fault?.message],
    ["DRAINING", "r-1", "this agent is shutting down"],
  );

  const bug = new Metadata();
  const internal = { code: status.INTERNAL, message: "internal error", requestId: "r-2" };
  bug.set(DETAILS_KEY, withRequestInfo(undefined, internal));
  assert.equal(readFault({ metadata: bug }), undefined, "a bug is no fault of Ferry's vocabulary");
});
