/*
 * Goal: whoever makes a call can name it, and whoever reads the log finds the line that says what became
 * of it. Method: real calls to a real server, with and without ids, answered and refused.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault, type ListMigrationsResponse, readFault } from "@ferry/contract";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { callIdsOf } from "./call-ids.js";
import { AGENT_ID, makeRig } from "./server-for-tests.js";

type Rig = Awaited<ReturnType<typeof makeRig>>;

/** One call, with what its caller sent and what came back beside the answer. */
function list({ migrations }: Rig, sent: Record<string, string>) {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(sent)) metadata.set(key, value);
  return new Promise<{ error: ServiceError | null; initial: Metadata; trailing: Metadata }>(
    (resolve) => {
      let initial = new Metadata();
      let trailing = new Metadata();
      let error: ServiceError | null = null;
      const call = migrations.listMigrations(
        { expectedAgentId: "", guestId: "" },
        metadata,
        (failed) => {
          error = failed;
        },
      );
      call.on("metadata", (received: Metadata) => {
        initial = received;
      });
      call.on("status", (ended: { metadata: Metadata }) => {
        trailing = ended.metadata;
        setImmediate(() => resolve({ error, initial, trailing }));
      });
    },
  );
}

const linesOf = ({ lines }: Rig) => lines.map((line) => JSON.parse(line));
const answer = async (): Promise<ListMigrationsResponse> => ({ agentId: AGENT_ID, migrations: [] });

test("a caller's request id comes back with the answer, and stands in the log", async (t) => {
  const seen: unknown[] = [];
  const rig = await makeRig(t, {
    handlers: {
      list: (_, { requestId, traceparent }) => {
        seen.push(requestId, traceparent);
        return answer();
      },
    },
  });
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const { initial } = await list(rig, { "x-request-id": "mine-7", traceparent });
  assert.deepEqual(initial.get("x-request-id"), ["mine-7"]);
  assert.deepEqual(seen, ["mine-7", traceparent]);
  const { time: _, duration_ms, peer, ...line } = linesOf(rig).find(({ msg }) => msg === "call");
  assert.deepEqual(line, {
    level: "debug",
    call: "ferry.v1.MigrationService/ListMigrations",
    code: "OK",
    request_id: "mine-7",
    trace_id: "0af7651916cd43dd8448eb211c80319c",
    msg: "call",
  });
  assert.equal(typeof duration_ms, "number");
  assert.match(peer, /^127\.0\.0\.1:/);
});

test("a call without an id, or with one no log could hold, is given one", async (t) => {
  const rig = await makeRig(t, { handlers: { list: answer } });
  const made = new Set<string>();
  for (const sent of [{}, { "x-request-id": "" }, { "x-request-id": "two words" }]) {
    const { initial } = await list(rig, { ...sent, traceparent: "nonsense" });
    const [id] = initial.get("x-request-id");
    assert.match(String(id), /^[0-9a-f-]{36}$/);
    made.add(String(id));
  }
  assert.equal(made.size, 3);
});

test("whoever is refused is told the id in the error's details, whatever refused", async (t) => {
  const refusing = await makeRig(t, {
    handlers: { list: () => Promise.reject(new Fault("DRAINING", "no")) },
  });
  const refused = await list(refusing, { "x-request-id": "r-1" });
  assert.equal(readFault(refused.error)?.requestId, "r-1");
  assert.deepEqual(refused.trailing.get("x-request-id"), ["r-1"]);
  const line = linesOf(refusing).find(({ msg }) => msg === "call");
  assert.deepEqual([line.level, line.code, line.request_id], ["info", "UNAVAILABLE", "r-1"]);

  const starting = await makeRig(t, { starting: true }); // its door refuses, not its handler
  const early = await list(starting, { "x-request-id": "r-2" });
  const fault = readFault(early.error);
  assert.deepEqual([fault?.reason, fault?.requestId], ["STARTING", "r-2"]);

  const broken = await makeRig(t, {
    handlers: { list: () => Promise.reject(new Error("what broke inside")) },
  });
  const bug = await list(broken, { "x-request-id": "r-3" });
  assert.equal(bug.error?.code, status.INTERNAL);
  assert.deepEqual(bug.trailing.get("x-request-id"), ["r-3"]);
  const told = linesOf(broken).find(({ level }) => level === "error");
  assert.deepEqual([told.request_id, told.err.message], ["r-3", "what broke inside"]);
});

test("a caller that is refused without end does not fill the disk", async (t) => {
  const CALLS = 2_000;
  const rig = await makeRig(t, {
    handlers: { list: () => Promise.reject(new Fault("GUEST_UNKNOWN", "there is none")) },
  });
  for (let asked = 0; asked < CALLS; asked += 100) {
    await Promise.all(Array.from({ length: 100 }, () => list(rig, {})));
  }
  const told = linesOf(rig).filter(({ msg }) => msg === "call").length;
  assert.ok(told >= 100 && told <= CALLS / 2, `${told} lines for ${CALLS} calls`);
});

test("what stands behind a traceparent of a later version is not kept", () => {
  const trace = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
  const metadata = new Metadata();
  metadata.set("traceparent", `cc-${trace}-03-${"x".repeat(30_000)}`);
  assert.equal(callIdsOf(metadata).traceparent, `00-${trace}-01`);
});
