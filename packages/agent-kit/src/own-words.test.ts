/*
 * Goal: bytes that are no request are refused in words that say so, whatever method they are sent to and at
 * whatever moment, and are counted and logged as what the caller was told. Method: frames written by hand,
 * over HTTP/2, to a real server.
 */
import assert from "node:assert/strict";
import { connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import { test } from "node:test";
import { type FaultRead, MeetResponse, readFault } from "@ferry/contract";
import { Metadata, status } from "@grpc/grpc-js";
import { until } from "./calls-for-tests.js";
import { inWords } from "./own-words.js";
import { makeRig } from "./server-for-tests.js";

type Rig = Awaited<ReturnType<typeof makeRig>>;

const LIST = "ferry.v1.MigrationService/ListMigrations";
const WATCH = "ferry.v1.MigrationService/WatchMigrations";
const MEET = "ferry.v1.PeerService/Meet";
const GARBAGE = Buffer.from("ff".repeat(16), "hex");

/** A message as gRPC frames it. */
function framed(bytes: Buffer, isCompressed = false): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(isCompressed ? 1 : 0);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** One call; resolves with the status it ended with, and the fault that was told with it. */
function call(rig: Rig, path: string, bytes: Buffer, headers: OutgoingHttpHeaders = {}) {
  const session = connect(`http://127.0.0.1:${rig.server.port}`);
  return new Promise<{ code: number; fault: FaultRead | undefined }>((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": `/${path}`,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    let told: Metadata | undefined;
    const hear = (received: IncomingHttpHeaders) => {
      if (!("grpc-status" in received)) return;
      told = Metadata.fromHttp2Headers(received);
    };
    stream.on("response", hear);
    stream.on("trailers", hear);
    stream.on("error", reject);
    stream.on("close", () => {
      session.close();
      resolve({
        code: Number(told?.get("grpc-status")[0]),
        fault: readFault({ metadata: told }),
      });
    });
    stream.resume();
    stream.end(bytes);
  });
}

async function counted({ metrics }: Rig, method: string): Promise<string[]> {
  const { values } = await metrics.calls.handled.get();
  return values
    .filter(({ labels }) => labels.grpc_method === method)
    .map(({ labels, value }) => `${labels.grpc_code} ${value}`);
}

for (const path of [LIST, WATCH, MEET]) {
  test(`${path}: bytes that no message begins with are an invalid request`, async (t) => {
    const rig = await makeRig(t, {
      handlers: {
        meet: async ({ requests }) => {
          for await (const _ of requests);
        },
      },
    });
    const { code, fault } = await call(rig, path, framed(GARBAGE));
    assert.equal(code, status.INVALID_ARGUMENT);
    assert.equal(fault?.reason, "INVALID_REQUEST");
    assert.match(fault.message, /cannot be read.*contract/);
    assert.match(fault.next ?? "", /unchanged fails again/);
    const [, method = ""] = path.split("/");
    assert.deepEqual(await counted(rig, method), ["INVALID_ARGUMENT 1"]);
    await until("it is logged as what it is", () =>
      rig.lines.some(
        (line) => line.includes(`"call":"${path}"`) && /"code":"INVALID_ARGUMENT"/.test(line),
      ),
    );
  });
}

test("garbage in the middle of a conversation is told after what was said", async (t) => {
  const rig = await makeRig(t, {
    handlers: {
      meet: async ({ requests, write }) => {
        for await (const _ of requests) write(MeetResponse.fromPartial({ reason: "heard" }));
      },
    },
  });
  const { code, fault } = await call(
    rig,
    MEET,
    Buffer.concat([framed(Buffer.alloc(0)), framed(GARBAGE)]),
  );
  assert.equal(code, status.INVALID_ARGUMENT);
  assert.equal(fault?.reason, "INVALID_REQUEST");
});

test("a message that is not compressed as it says, or as nobody here can read, is refused in words", async (t) => {
  const rig = await makeRig(t);
  const compressed = framed(GARBAGE, true);
  for (const encoding of ["gzip", "deflate"]) {
    const { fault } = await call(rig, LIST, compressed, { "grpc-encoding": encoding });
    assert.equal(fault?.reason, "INVALID_REQUEST", encoding);
  }
  const { code, fault } = await call(rig, LIST, compressed, { "grpc-encoding": "zstd" });
  assert.equal(code, status.UNIMPLEMENTED);
  assert.equal(fault?.reason, "UNSUPPORTED");
  assert.match(fault.message, /zstd.*gzip/);
});

test("a deadline that is no deadline is refused in words", async (t) => {
  const rig = await makeRig(t);
  const { fault } = await call(rig, LIST, framed(Buffer.alloc(0)), { "grpc-timeout": "soon" });
  assert.equal(fault?.reason, "INVALID_REQUEST");
  assert.match(fault.message, /grpc-timeout/);
});

test("a message that is too large, either way, is counted as what its caller was told", async (t) => {
  const rig = await makeRig(t, {
    config: "limits: {message_bytes_max: 65536}",
    handlers: { list: async () => ({ agentId: "x".repeat(100_000), migrations: [] }) },
  });
  for (const bytes of [Buffer.alloc(100_000), Buffer.alloc(0)]) {
    const { code, fault } = await call(rig, LIST, framed(bytes));
    assert.equal(code, status.RESOURCE_EXHAUSTED);
    assert.equal(fault?.reason, "MESSAGE_TOO_LARGE");
  }
  assert.deepEqual(await counted(rig, "ListMigrations"), ["RESOURCE_EXHAUSTED 2"]);
});

test("an answer that cannot be encoded stays a bug of ours", async (t) => {
  const sending = { code: status.INTERNAL, details: "Error serializing response", metadata: null };
  assert.equal(inWords(sending, "answer"), sending);
  const rig = await makeRig(t, {
    handlers: { list: async () => ({ agentId: "", migrations: null }) as never },
  });
  const { code, fault } = await call(rig, LIST, framed(Buffer.alloc(0)));
  assert.equal(code, status.INTERNAL);
  assert.equal(fault, undefined);
});
