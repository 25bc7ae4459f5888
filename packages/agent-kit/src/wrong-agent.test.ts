import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BeginRequest,
  DestinationServiceClient,
  GuestServiceClient,
  PerformRequest,
  readFault,
  ServerReflectionClient,
  SourceServiceClient,
} from "@ferry/contract";
import { ChannelCredentials, Client, status } from "@grpc/grpc-js";
import { serve } from "./agent-server.js";
import { ask, collect, failure, servicesOf } from "./calls-for-tests.js";
import { parseConfig } from "./config-file.js";
import { BUILT_IN } from "./policy.js";
import { makeRig } from "./server-for-tests.js";

/** The rig's agent is host-1/destination. */
function isTold(error: unknown, what: RegExp): void {
  const fault = readFault(error);
  assert.equal(fault?.reason, "WRONG_HOST");
  assert.match(fault.message, what);
  assert.equal(fault.retryAfterMs, undefined, "it is not to be repeated");
  assert.ok((fault.requestId ?? "") !== "" && (fault.next ?? "") !== "");
}

test("a destination agent says of a source agent's calls whom to dial, of streams too", async (t) => {
  const { client } = await makeRig(t);
  const source = client(SourceServiceClient);
  const whom = /this is host-1\/destination, .* source agent's call: dial host-1\/source.*7701/;
  const begun = await failure(ask(source, source.begin, BeginRequest.fromPartial({})));
  isTold(begun, /SourceService\/Begin/);
  isTold(begun, whom);
  assert.equal(readFault(begun)?.metadata.wanted_agent_id, "host-1/source");
  isTold(await collect(source.perform(PerformRequest.fromPartial({}))).ended, whom);
  const guests = client(GuestServiceClient);
  isTold(await failure(ask(guests, guests.list, { expectedAgentId: "" })), /GuestService\/List/);
});

test("a source agent says so of Prepare, before and after its first message", async (t) => {
  const { log, metrics } = await makeRig(t);
  const server = await serve({
    config: parseConfig(
      'host_id: host-9\nlisten: "127.0.0.1:0"\nhealth_listen: off\nplaintext: true',
      "source",
    ),
    role: "source",
    log,
    metrics,
    certificates: undefined,
    policy: { current: BUILT_IN },
    services: [],
    add: () => {},
  });
  t.after(() => server.close(0));
  server.open();
  const address = `127.0.0.1:${server.port}`;
  const destination = new DestinationServiceClient(address, ChannelCredentials.createInsecure());
  t.after(() => destination.close());
  const whom =
    /this is host-9\/source, .* destination agent's call: dial host-9\/destination.*7702/;
  const { ended } = collect(destination.prepare());
  isTold(await ended, whom);
  const spoken = destination.prepare();
  const told = collect(spoken).ended;
  spoken.write({ message: { $case: "heartbeat", value: {} } });
  isTold(await told, whom);
});

test("reflection lists what the agent serves itself, and no more", async (t) => {
  const { client } = await makeRig(t);
  assert.doesNotMatch(
    await servicesOf(client(ServerReflectionClient)),
    /SourceService|GuestService/,
  );
});

test("a call that no release knows yet is UNIMPLEMENTED, as gRPC says it", async (t) => {
  const { client } = await makeRig(t);
  const bare = client(Client);
  for (const path of ["/ferry.v1.SourceService/Rewind", "/ferry.v1.PeerService/Rewind"]) {
    const error = await failure(
      new Promise((resolve, reject) => {
        bare.makeUnaryRequest(
          path,
          (bytes: Buffer) => bytes,
          (bytes) => bytes,
          Buffer.alloc(0),
          (failed, answer) => (failed === null ? resolve(answer) : reject(failed)),
        );
      }),
    );
    assert.equal(error.code, status.UNIMPLEMENTED, path);
    assert.equal(readFault(error), undefined);
  }
});
