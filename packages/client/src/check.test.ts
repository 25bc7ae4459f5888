/* Goal: a preflight and a later question tell what both ends say, and touch nothing. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Verdict } from "@ferry/contract";
import { credentials } from "@grpc/grpc-js";
import { Agent } from "./agent.js";
import { check } from "./check.js";
import { FakeAgents, fault, type Script } from "./fake-agents.js";
import { connectHost } from "./host.js";
import { resolve } from "./resolve.js";

const cleanups: (() => void)[] = [];
after(() => {
  for (const cleanup of cleanups) cleanup();
});

async function pair(script: Script) {
  const agents = await new FakeAgents(script).listen();
  const { source, destination } = agents;
  const host = connectHost({ source, destination, plaintext: true });
  cleanups.push(
    () => host.close(),
    () => agents.close(),
  );
  return { agents, host };
}

test("check lists every blocker of both ends, and leases and prepares nothing", async () => {
  const missing = { reason: "DISK_MISSING", subject: "root", description: "no such file" };
  const blocked = { reason: "MIGRATION_BLOCKED", subject: "vm1", description: "a device" };
  const { agents, host } = await pair({
    begin: ["ok"],
    prepare: [["validated", "ok"]],
    blockers: { source: [blocked], destination: [missing, { ...missing, subject: "data" }] },
  });
  const result = await check({ guestId: "vm1", from: host, to: host, transport: "tunnel" });
  assert.deepEqual(result.source, [blocked]);
  assert.deepEqual(
    result.destination.map(({ subject }) => subject),
    ["root", "data"],
  );
  assert.equal(agents.requests.begin[0]?.validateOnly, true);
  const open = agents.requests.prepare[0]?.message;
  assert.equal(open?.$case === "open" && open.value.validateOnly, true);
});

test("check has the source try the way to the destination that answered", async () => {
  const blocked = { reason: "PATH_BLOCKED", subject: "10.0.0.2:49152", description: "a firewall" };
  const { agents, host } = await pair({
    begin: ["ok"],
    prepare: [["validated", "ok"]],
    path: { address: "", connectUs: 0, blockers: [blocked] },
  });
  const { path } = await check({ guestId: "vm1", from: host, to: host, network: "storage" });
  assert.deepEqual(path?.blockers, [blocked]);
  assert.deepEqual(agents.requests.begin[1]?.path, {
    destinationAddress: agents.destination,
    destinationAgentId: "b/destination",
    network: "storage",
  });
});

test("check throws what an agent would not judge", async () => {
  const { host } = await pair({ begin: [fault("GUEST_UNKNOWN")] });
  await assert.rejects(check({ guestId: "vm1", from: host, to: host }), /GUEST_UNKNOWN/);
});

test("resolve takes the destination's word", async () => {
  const { agents, host } = await pair({ finish: ["landed"], downtimeMs: 40 });
  const resolution = await resolve("m", [host.source, host.destination]);
  assert.equal(resolution.verdict, "landed");
  assert.equal(resolution.settled, true);
  assert.equal(resolution.blackoutMs, 40);
  assert.equal(resolution.testimonies[1]?.migration?.verdict, Verdict.LANDED);
  assert.deepEqual(agents.heard, [], "nothing was ordered");
});

test("resolve says pending when nobody knows or answers", async () => {
  const { host } = await pair({});
  const silent = new Agent("127.0.0.1:1", credentials.createInsecure());
  cleanups.push(() => silent.close());
  const resolution = await resolve("m", [host.source, silent], { timeoutMs: 2_000 });
  assert.equal(resolution.verdict, "pending");
  assert.equal(resolution.settled, false);
  assert.equal(
    resolution.testimonies.every(({ trouble }) => trouble !== undefined),
    true,
  );
});
