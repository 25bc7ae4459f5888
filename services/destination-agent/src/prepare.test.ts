/*
 * Goal: no guest is accepted by an agent that ends. Method: the handler itself, a stream whose end the
 * test holds, and a host that is slow to say what it can take.
 */
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { parseConfig } from "@ferry/agent-kit";
import { Accelerator, GuestDescription, PrepareOpen, readFault, Transport } from "@ferry/contract";
import { Metadata } from "@grpc/grpc-js";
import type { AdmissionHost } from "./admission.js";
import { Arrivals } from "./arrivals.js";
import { type PrepareOptions, prepareHandler } from "./prepare.js";

const MIB = 1024n * 1024n;

test("a guest that admission still looks at when the agent begins to end is refused", async () => {
  const asked = new EventEmitter();
  let draining = false;
  const host = {
    config: parseConfig("host_id: host-2\nplaintext: true\n", "destination"),
    store: { guestExists: async () => false, guestCount: async () => 0 },
    ports: { free: () => [1], first: 1, last: 1 },
    machineTypes: new Set(["q35"]),
    kvmNow: async () => ({ works: false, reason: "" }),
    async cpuProperties() {
      setImmediate(() => asked.emit("asked"));
      await once(asked, "answered");
      return {};
    },
  };
  // Admission touches nothing else of its host.
  const arrivals = new Arrivals(host as unknown as AdmissionHost);
  const options = {
    agentId: "host-2/destination",
    arrivals,
    log: { error: (about: { err: unknown }) => assert.fail(String(about.err)) },
    host: Promise.resolve(host),
    callerOf: () => "",
    draining: () => draining,
  };
  const call = Object.assign(new EventEmitter(), { metadata: new Metadata() });
  const ended = once(call, "error").catch((error: unknown) => [error]);
  prepareHandler(options as unknown as PrepareOptions)(call as never);
  const description = GuestDescription.fromPartial({
    sourceAgentId: "host-1/source",
    sourceHostId: "host-1",
    accelerator: Accelerator.TCG,
    spec: { formatVersion: 1, guestId: "g", cpuModel: "qemu64", memoryBytes: MIB * 64n },
  });
  const migrationId = "5b6a3f6e-6f6b-4c44-9a0f-3f0f0a5d7c11";
  const transport = Transport.DIRECT;
  const value = PrepareOpen.fromPartial({ migrationId, description, transport });
  const looking = once(asked, "asked");
  call.emit("data", { message: { $case: "open", value } });
  await Promise.race([looking, ended.then(([error]) => assert.fail(String(error)))]);

  draining = true;
  asked.emit("answered");
  await turn();

  const [error] = await ended;
  assert.equal(readFault(error as Error)?.reason, "DRAINING");
  assert.deepEqual(arrivals.underWay(), []);
});
