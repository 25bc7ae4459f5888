/*
 * Goal: whatever the two agents of a migration were told, they end up in one trace. Method: what each
 * would log and send, for every way a controller may or may not have named a trace.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readTraceparent } from "@ferry/contract";
import type { AgentRole } from "./config.js";
import { makeLogger } from "./logs.js";
import { MigrationTrace } from "./migration-trace.js";
import type { SpanOver } from "./traces.js";

const ID = "6f1c0b6e-8f55-4b8e-9d52-0b8f1d1a2b3c";
const BARE = ID.replaceAll("-", "");
const traceparent = (digit: string, flags = "01") =>
  `00-${digit.repeat(32)}-${digit.repeat(16)}-${flags}`;

function at(role: AgentRole, given: string | undefined) {
  const lines: string[] = [];
  const spans: SpanOver[] = [];
  const trace = new MigrationTrace({
    role,
    migrationId: ID,
    guestId: "vm1",
    traceparent: given,
    log: makeLogger({ level: "info", base: {} }, { write: (line) => void lines.push(line) }),
    traces: { span: (span) => void spans.push(span), close: async () => {} },
  });
  const logged = () => {
    trace.log.info("now");
    return JSON.parse(lines.at(-1) ?? "{}").trace_id as string;
  };
  const over = () => {
    trace.over({ startedAtMs: 1, endedAtMs: 2, phase: "departed", failure: undefined });
    return spans.at(-1);
  };
  return { trace, logged, over };
}

const rows: [
  name: string,
  begin: string | undefined,
  prepare: string | undefined,
  trace: string,
][] = [
  ["nobody named one", undefined, undefined, BARE],
  ["both calls did", traceparent("a"), traceparent("a"), "a".repeat(32)],
  ["only Begin did", traceparent("a"), undefined, "a".repeat(32)],
  ["they named two", traceparent("a"), traceparent("b"), "a".repeat(32)],
  ["Begin's is broken", "00-nonsense", undefined, BARE],
];
for (const [name, begin, prepare, traceId] of rows) {
  test(`${name}: after Meet both are in one trace`, () => {
    const source = at("source", begin);
    const destination = at("destination", prepare);
    destination.trace.meet(source.trace.carried);
    assert.deepEqual([source.logged(), destination.logged()], [traceId, traceId]);
    assert.equal(destination.over()?.context?.traceId, traceId);
  });
}

test("Meet does not take a controller's parent away", () => {
  const source = at("source", traceparent("a"));
  const ours = traceparent("a").replace(/-a{16}-/, `-${"c".repeat(16)}-`);
  const destination = at("destination", ours);
  destination.trace.meet(source.trace.carried);
  assert.equal(destination.over()?.parent?.spanId, "c".repeat(16));
});

test("without a controller the source's span is the root, and the destination's hangs on it", () => {
  const root = at("source", undefined).over();
  assert.equal(root?.parent, undefined);
  assert.deepEqual(at("destination", undefined).over()?.parent, root?.context);
});

test("Perform's trace is taken up where Begin had none, and only there", () => {
  const late = at("source", undefined);
  late.trace.offer(traceparent("d"));
  late.trace.offer(traceparent("e"));
  assert.equal(late.logged(), "d".repeat(32));
  assert.equal(late.trace.traceparent, traceparent("d"), "kept for the record");
});

test("a trace that nobody wants kept stays so over Meet", () => {
  const { carried } = at("source", traceparent("a", "00")).trace;
  assert.equal(readTraceparent(carried)?.sampled, false);
});
