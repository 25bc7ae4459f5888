/*
 * Goal: no stranger and no misbehaving caller harms the tether of another. Method: two hosts with
 * certificates, one guest that is prepared on the second and held by its tether throughout; whoever
 * comes is answered or put out, and after each of them the tether holds and the guest at home ticks.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { connectHost, getInfo } from "@ferry/client";
import { HealthService, readFault } from "@ferry/contract";
import { makeAuthority, type TestNames } from "@ferry/tether/certificates-for-tests";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { TestGuest } from "../harness/guests.js";
import type { TestHost } from "../harness/hosts.js";
import { metricOf } from "../harness/metrics.js";
import { type Bench, openBench } from "./support/bench-hosts.js";
import type { HeldTether } from "./support/held-tether.js";
import { floodWithResets } from "./support/reset-flood.js";
import { stagedSpec } from "./support/staging.js";
import { Steps } from "./support/steps.js";

/** RFC 8446: a handshake record that promises 512 bytes. */
const HALF_A_CLIENT_HELLO = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]);
const DAY_MS = 24 * 60 * 60_000;
const CONTROLLER = { uris: ["ferry://controller/c"] };

let bench: Bench;
let guest: TestGuest;
let steps: Steps;
let tether: HeldTether;
let there: TestHost;
before(async () => {
  // Patient: this process floods, and holds the tether that must stay.
  const keepalive = { timeMs: 2_000, timeoutMs: 30_000 };
  bench = await openBench({ security: "mtls", keepalive });
  const [one, two] = bench.hosts.pair;
  there = two;
  guest = await TestGuest.start(one, stagedSpec("held"));
  steps = new Steps({ guestId: "held", from: one, to: two });
  await steps.begin();
  tether = bench.keep(steps.prepare());
  await tether.ready();
});
after(() => bench?.close());
afterEach(async () => {
  assert.equal(tether.over && (await tether.ended), false, "the tether was cut");
  assert.equal((await steps.arrivalIn("prepared")).tethered, true);
  await guest.ticksOn(1);
});

const file = (name: string) => readFileSync(join(bench.hosts.certificatesDir, name), "utf8");
/** The hosts' own CA, for certificates that no command would make. */
const authority = () => makeAuthority("Ferry CA", file("ca.key"));

/** How GetInfo of the destination ends for whoever shows that. */
async function refusedTo(shown: { cert: string; key: string }): Promise<ServiceError> {
  const { address } = there.client.destination;
  const tls = { ca: file("ca.crt"), ...shown };
  const host = connectHost({ source: address, destination: address, hostId: "host-2", tls });
  try {
    await getInfo(host.destination);
  } catch (error) {
    return error as ServiceError; // grpc-js rejects with nothing else
  } finally {
    host.close();
  }
  throw new Error("it was let in");
}

test("the certificates made here are as good as any", async () => {
  for (const shown of [
    authority().issue(CONTROLLER),
    authority().issue({ ...CONTROLLER, usage: "client" }),
  ]) {
    await assert.rejects(refusedTo(shown), /it was let in/);
  }
});

const stranger = makeAuthority("Ferry CA");
const BAD: readonly [what: string, shown: () => { cert: string; key: string }][] = [
  ["has ended", () => authority().issue({ ...CONTROLLER, endsInMs: -DAY_MS })],
  [
    "is not valid yet",
    () => authority().issue({ ...CONTROLLER, beginsInMs: DAY_MS, endsInMs: 2 * DAY_MS }),
  ],
  ["another CA of the same name signed", () => stranger.issue(CONTROLLER)],
  ["signed itself", () => selfSigned(CONTROLLER)],
  ["is a server's alone", () => authority().issue({ ...CONTROLLER, usage: "server" })],
  [
    "an authority below another CA signed",
    () => makeAuthority("Ferry CA").below("Ferry CA below").issue(CONTROLLER),
  ],
  [
    "an authority below this one signed, which may have none",
    () => authority().below("between").issue(CONTROLLER),
  ],
  [
    "a controller signed with its own",
    () => {
      const { cert, key } = authority().issue({ ...CONTROLLER, commonName: "c" });
      const forged = makeAuthority("c", key).issue({ uris: ["ferry://operator/c"] });
      return { cert: `${forged.cert}${cert}`, key: forged.key };
    },
  ],
];
for (const [what, shown] of BAD) {
  test(`a certificate that ${what} gets no call through`, async () => {
    const error = await refusedTo(shown());
    assert.equal(error.code, status.UNAVAILABLE, error.message);
  });
}

test("a certificate whose names have no role is told so", async () => {
  for (const names of [
    { dns: ["host-2"] },
    { uris: ["spiffe://x/y"] },
    { commonName: "operator" },
  ]) {
    const error = await refusedTo(authority().issue(names));
    assert.equal(error.code, status.PERMISSION_DENIED);
    assert.match(readFault(error)?.message ?? "", /has no role in the built-in policy/);
  }
});

test("callers that never finish their handshake are not waited for", async () => {
  const [hostName = "", port = ""] = there.client.destination.address.split(":");
  const knocking = Array.from({ length: 50 }, () =>
    connectTcp(
      { host: hostName, port: Number(port) },
      function (this: { write(bytes: Buffer): void }) {
        this.write(HALF_A_CLIENT_HELLO);
      },
    ).on("error", () => {}),
  );
  const put = knocking.map((each) => new Promise((resolve) => each.once("close", resolve)));
  await getInfo(there.client.destination); // beside them
  await Promise.all(put);
});

test("a caller that floods with pings loses its connection alone", async () => {
  const { cert, key } = authority().issue(CONTROLLER);
  const flooder = connectHttp2(`https://${there.client.destination.address}`, {
    ca: file("ca.crt"),
    cert,
    key,
    maxOutstandingPings: 1e9,
    checkServerIdentity: () => undefined,
  });
  flooder.on("error", () => {});
  const gone = new Promise((resolve) => flooder.once("close", resolve));
  await new Promise((resolve) => flooder.once("connect", resolve));
  while (!flooder.destroyed) {
    for (let count = 0; count < 100 && !flooder.destroyed; count += 1) flooder.ping(() => {});
    await new Promise(setImmediate);
  }
  await gone;
  assert.match(JSON.stringify(there.destination.log()), /ping_flood/);
});

/** Far more than the agent takes: it puts out whoever resets 1000 at once, or 33 a second for ever (nghttp2). */
const CALLS = 20_000;
const TAKEN_MAX = 5_000;
for (const resetter of ["caller", "agent"] as const) {
  const who = resetter === "caller" ? "resets its calls" : "makes the agent reset its calls";
  test(`a caller that ${who} in a flood loses its connection alone`, async () => {
    const [host = "", port = ""] = there.client.destination.address.split(":");
    const { cert, key } = authority().issue(CONTROLLER);
    const taken = () =>
      metricOf(there, "destination", "grpc_server_started_total", { grpc_method: "GetInfo" });
    const before = (await taken()) ?? 0;
    const flood = floodWithResets({
      host,
      port: Number(port),
      tls: { ca: file("ca.crt"), cert, key },
      path: "/ferry.v1.AgentService/GetInfo",
      resetter,
      callsMax: CALLS,
    });
    await getInfo(there.client.destination, { timeoutMs: 60_000 }); // beside it
    const { sent, putOut } = await flood;
    assert.ok(putOut, `${sent} calls were sent, and it was not put out`);
    const count = ((await taken()) ?? 0) - before - 1;
    assert.ok(count > 0, "no call came through: this proves nothing");
    assert.ok(count < TAKEN_MAX, `${count} of ${sent} calls were taken`);
  });
}

test("a probe without a certificate gets health, and a frozen agent gives it none", async () => {
  const address = `${there.address}:7712`;
  const probe = async (timeoutMs: number) => {
    const client = new Client(address, credentials.createInsecure());
    const { path, requestSerialize, responseDeserialize } = HealthService.check;
    return new Promise<number | string>((resolve) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        { service: "ferry.liveness" },
        { deadline: Date.now() + timeoutMs },
        (error, answer) => {
          client.close();
          resolve(error === null ? (answer?.status ?? "nothing") : (status[error.code] ?? "?"));
        },
      );
    });
  };
  assert.equal(await probe(20_000), 1);
  there.destination.freeze();
  try {
    assert.equal(await probe(1_000), "DEADLINE_EXCEEDED");
  } finally {
    there.destination.thaw();
  }
  assert.equal(await probe(20_000), 1);
});

/** A certificate that is its own CA's. */
function selfSigned(names: TestNames): { cert: string; key: string } {
  const { key } = makeAuthority().issue(names);
  return { cert: makeAuthority("self", key).ca, key };
}
