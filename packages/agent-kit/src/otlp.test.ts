/*
 * Goal: whoever collects spans cannot cost an agent more than a bounded queue. Method: a server that takes
 * requests and does not answer, and thousands of spans.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { test } from "node:test";
import { parseConfig } from "./config-file.js";
import { makeLogger } from "./logs.js";
import { NO_TRACES, openTraces, type SpanOver } from "./traces.js";

const silent = makeLogger({ level: "fatal", base: {} }, { write: () => {} });
const parent = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };
const span: SpanOver = {
  name: "copying",
  startedAtMs: 1_000,
  endedAtMs: 2_000,
  context: undefined,
  parent: { ...parent, sampled: true },
  attributes: {},
  failure: undefined,
};

function configured(port: number, queueMax: number) {
  const endpoint = `http://127.0.0.1:${port}/v1/traces`;
  return parseConfig(
    `host_id: host-1\ntraces: {otlp_endpoint: "${endpoint}", queue_max: ${queueMax}}`,
    "source",
  );
}

test("a collector that hangs costs a bounded queue, and whatever was not told is dropped", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // it listens on a port
  const traces = await openTraces(configured(port, 20), { agentId: "host-1/source", log: silent });
  const requested = once(server, "request");
  for (let sent = 0; sent < 5_000; sent += 1) traces.span(span);
  const [request, held] = (await requested) as [AsyncIterable<Buffer>, ServerResponse];
  let received = count(await json(request as never));
  for (let sent = 0; sent < 5_000; sent += 1) traces.span(span);

  server.on("request", async (more, response) => {
    received += count(await json(more));
    response.end("{}");
  });
  held.end("{}"); // it has come back
  await traces.close();
  assert.ok(received > 0 && received <= 40, `${received} spans of 10000, with a queue of 20`);
});

test("what nobody wants kept is not sent, and without a collector nothing is loaded", async () => {
  const config = parseConfig("host_id: host-1", "source");
  assert.equal(await openTraces(config, { agentId: "host-1/source", log: silent }), NO_TRACES);
});

test("a collector's URL with a password in it is refused: it would stand in the log", () => {
  for (const url of ["http://me:secret@collector/v1/traces", "collector:4318", "ftp://collector"]) {
    assert.throws(
      () => parseConfig(`traces: {otlp_endpoint: "${url}"}`, "source"),
      /otlp_endpoint/,
    );
  }
});

function count(body: unknown): number {
  const { resourceSpans } = body as {
    resourceSpans: { scopeSpans: { spans: unknown[] }[] }[];
  }; // OTLP's JSON encoding
  return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)).length;
}
