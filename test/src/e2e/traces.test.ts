/*
 * Goal: a migration can be followed over both hosts by one id, in the logs and as one trace, whoever began
 * it, over an agent's restart; and whatever becomes of the collector, no guest notices. Method: real moves
 * of real guests, and a collector that reads what was sent to it by OTLP's own encoding.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { guestRunDirectory } from "@ferry/agent-kit";
import { migrate } from "@ferry/client";
import { connect } from "@ferry/qmp";
import { Collector, type SpanSeen } from "../harness/collector.js";
import { TestGuest, tickerFolder } from "../harness/guests.js";
import { Hosts, type TestHost } from "../harness/hosts.js";
import { move } from "../harness/move.js";
import { until } from "../harness/until.js";
import { NARROW, stagedSpec } from "./support/staging.js";

let collector: Collector;
let hosts: Hosts;
before(async () => {
  collector = await Collector.start();
  hosts = await Hosts.start({
    patient: true,
    allowedPaths: [tickerFolder],
    config: (own) => ({
      traces: { otlp_endpoint: collector.endpoint(own), queue_max: 64 },
      timeouts: { drain_ms: 300 },
    }),
  });
});
after(async () => {
  await hosts?.close();
  collector?.close();
});

/** Every line that both hosts logged about that migration. */
function linesOf(migrationId: string) {
  return hosts.all
    .flatMap(({ source, destination }) => [source, destination])
    .flatMap((agent) => agent.log())
    .filter((line) => line.migration_id === migrationId);
}

function assertLines(migrationId: string, traceId: string): void {
  const lines = linesOf(migrationId);
  const steps = lines.filter(({ from, to }) => from !== undefined && to !== undefined);
  assert.deepEqual([...new Set(steps.map(({ role }) => role))].sort(), ["destination", "source"]);
  for (const step of steps) {
    for (const field of ["migration_id", "guest_id", "role", "from", "to", "heard", "trace_id"]) {
      assert.equal(typeof step[field], "string", `${field} in ${JSON.stringify(step)}`);
    }
  }
  for (const line of lines) assert.equal(line.trace_id, traceId, JSON.stringify(line));
}

/** Both hosts' spans of a migration that is over, once they are there. */
async function traceOf(traceId: string): Promise<SpanSeen[]> {
  const whole = () => {
    const names = collector.trace(traceId).map(({ name }) => name);
    return names.includes("migration source") && names.includes("migration destination");
  };
  await until(`both hosts' spans of ${traceId}`, whole);
  return collector.trace(traceId);
}

function assertConnected(spans: readonly SpanSeen[], outside: string): void {
  const known = new Set([outside, ...spans.map(({ spanId }) => spanId)]);
  assert.equal(known.size, spans.length + 1, "no two spans are one");
  for (const span of spans) {
    assert.ok(known.has(span.parentSpanId), `${span.name} hangs in the air`);
    assert.ok(span.endedAtMs >= span.startedAtMs, span.name);
  }
}

function one(spans: readonly SpanSeen[], name: string): SpanSeen {
  const [found, ...more] = spans.filter((span) => span.name === name);
  assert.ok(found !== undefined && more.length === 0, `${name}: ${more.length + 1}`);
  return found;
}

async function startGuest(guestId: string, host: TestHost): Promise<TestGuest> {
  const guest = await TestGuest.start(host, stagedSpec(guestId));
  await guest.ticksOn();
  return guest;
}

test("under a controller's trace: both hosts' phases and the blackout are one trace, and every line names it", async () => {
  const [from, to] = hosts.pair;
  await startGuest("led", from);
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const spanId = "b7ad6b7169203331";
  const migrationId = randomUUID();
  const traceparent = `00-${traceId}-${spanId}-01`;
  const outcome = await move("led", from, to, { migrationId, traceparent });
  assert.equal(outcome.verdict, "landed", JSON.stringify(outcome.why));
  assertLines(migrationId, traceId);

  const spans = await traceOf(traceId);
  assertConnected(spans, spanId);
  const source = one(spans, "migration source");
  const destination = one(spans, "migration destination");
  assert.deepEqual([source.parentSpanId, destination.parentSpanId], [spanId, spanId]);
  assert.deepEqual([source.agentId, destination.agentId], ["host-1/source", "host-2/destination"]);
  for (const phase of ["begun", "meeting", "performing", "released", "destroying"]) {
    assert.equal(one(spans, phase).parentSpanId, source.spanId, phase);
  }
  for (const phase of ["preparing", "prepared", "untying", "landing"]) {
    assert.equal(one(spans, phase).parentSpanId, destination.spanId, phase);
  }
  const blackout = one(spans, "blackout");
  assert.equal(blackout.parentSpanId, destination.spanId);
  assert.equal(
    Math.round(blackout.endedAtMs - blackout.startedAtMs),
    Math.round(outcome.blackoutMs ?? -1),
  );
  assert.ok(spans.every(({ error }) => error === undefined));
  assert.ok(spans.every(({ attributes }) => attributes["ferry.migration_id"] === migrationId));
});

test("without a controller's trace: the migration's id is the trace, and the source's span its root", async () => {
  const [from, to] = hosts.pair;
  await startGuest("alone", from);
  const run = migrate({ guestId: "alone", from: from.client, to: to.client });
  const outcome = await run.result;
  assert.equal(outcome.verdict, "landed", JSON.stringify(outcome.why));
  const traceId = run.migrationId.replaceAll("-", "");
  assertLines(run.migrationId, traceId);
  const spans = await traceOf(traceId);
  assertConnected(spans, "");
  const root = one(spans, "migration source");
  assert.equal(root.parentSpanId, "");
  assert.equal(one(spans, "migration destination").parentSpanId, root.spanId);
});

test("a migration that failed says so, and one that nobody wants traced is not", async () => {
  const [from, to] = hosts.pair;
  const guest = await startGuest("kept", from);
  const moving = (sampled: string) => {
    const abort = new AbortController();
    const migrationId = randomUUID();
    const run = migrate({
      guestId: "kept",
      from: from.client,
      to: to.client,
      migrationId,
      bandwidthBytesPerSecond: Number(NARROW),
      signal: abort.signal,
      traceparent: `00-${migrationId.replaceAll("-", "")}-b7ad6b7169203331-${sampled}`,
    });
    return { run, abort, traceId: migrationId.replaceAll("-", "") };
  };
  const silent = moving("00");
  const aloud = async ({ run, abort }: ReturnType<typeof moving>) => {
    for await (const event of run) if (event.kind === "progress") abort.abort();
    assert.equal((await run.result).verdict, "returned");
  };
  await aloud(silent);
  assertLines(silent.run.migrationId, silent.traceId); // lines are not spans
  const told = moving("01");
  await aloud(told);
  const spans = await traceOf(told.traceId);
  assert.match(one(spans, "migration source").error ?? "", /aborted/);
  assert.notEqual(one(spans, "migration destination").error, undefined);
  assert.deepEqual(collector.trace(silent.traceId), []); // later ones of the same agents have come
  await guest.ticksOn();
});

test("a source agent that is killed in the middle goes on with the trace", async (t) => {
  const [from, to] = hosts.pair;
  await startGuest("survivor", from);
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  const migrationId = randomUUID();
  const run = migrate({
    guestId: "survivor",
    from: from.client,
    to: to.client,
    migrationId,
    traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
    bandwidthBytesPerSecond: Number(NARROW),
    downtimeLimitMs: 60_000,
  });
  const copied = (async () => {
    for await (const event of run) if (event.kind === "progress") return;
  })();
  await copied;
  const killed = linesOf(migrationId).length;
  await from.source.restart();
  const monitor = join(guestRunDirectory(from.runDir, "survivor"), "debug.qmp");
  const qmp = await connect(monitor, { timeoutMs: 20_000 });
  t.after(() => qmp.close());
  await qmp.execute("migrate-set-parameters", { "max-bandwidth": 2 ** 40 });
  assert.equal((await run.result).verdict, "landed");
  assert.ok(linesOf(migrationId).length > killed);
  assertLines(migrationId, traceId);
  const spans = await traceOf(traceId);
  assertConnected(spans, "00f067aa0ba902b7");
});

test("a collector that hangs, and one that is gone, cost no guest anything, and no agent its end", async () => {
  const [from, to] = hosts.pair;
  const guest = await startGuest("unseen", from);
  const seen = collector.requests;
  collector.hangs = true;
  assert.equal((await move("unseen", from, to)).verdict, "landed");
  await guest.livesAt(to);
  await until("an export to hang", () => collector.requests > seen);
  assert.equal((await move("unseen", to, from)).verdict, "landed");
  await guest.livesAt(from);
  assert.equal(await to.destination.stop(), 0, "it waits for the collector");
  to.destination.start();
  await to.destination.ready();

  collector.close();
  assert.equal((await move("unseen", from, to)).verdict, "landed");
  await guest.livesAt(to);
  await guest.memoryIsWhole();
  const warned = () => from.source.log().some(({ msg }) => msg.startsWith("spans cannot be sent"));
  await until("the agent to say that nobody collects", warned);
});
