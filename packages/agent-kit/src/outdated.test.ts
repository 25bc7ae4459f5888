/*
 * Goal: taking a CA out of the bundle counts for those who are connected already, and cuts nobody's call. Method:
 * callers over real mTLS whose connections are older than the change; what they may still do is tried call by call.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect } from "node:tls";
import {
  DestinationServiceService,
  GuestServiceService,
  MeetRequest,
  MeetResponse,
  MigrationServiceClient,
  MigrationServiceService,
  PeerServiceClient,
  readFault,
  SourceServiceService,
  WatchMigrationsRequest,
  WatchMigrationsResponse,
} from "@ferry/contract";
import { makeAuthority, type TestAuthority } from "@ferry/tether/certificates-for-tests";
import { ChannelCredentials, connectivityState, status } from "@grpc/grpc-js";
import { ask, collect, failure, until } from "./calls-for-tests.js";
import { Certificates } from "./certificates.js";
import { requireAsk, requireCall } from "./identity.js";
import { makeLogger } from "./logs.js";
import { serveMetrics } from "./metrics-endpoint.js";
import { BUILT_IN } from "./policy.js";
import { makeRig } from "./server-for-tests.js";

const LIST = { expectedAgentId: "", guestId: "" };
const CONTROLLER = "ferry://controller/c";
const KEY = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();
const [old, next] = [makeAuthority("old"), makeAuthority("next", KEY)];

/** An agent that trusts both, and whose own certificate is the new one's. */
async function setUp(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "ferry-outdated-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const files = { cert: join(dir, "crt"), key: join(dir, "key"), ca: join(dir, "ca") };
  const { cert, key } = next.issue({ uris: ["ferry://agent/host-1"] });
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key);
  writeFileSync(files.ca, `${old.ca}${next.ca}`);
  const log = makeLogger({ level: "fatal", base: {} }, { write: () => {} });
  const policy = { current: BUILT_IN };
  const certificates = new Certificates({ files, hostId: "host-1", log, policy });
  t.after(() => certificates.stop());
  const rig = await makeRig(t, {
    certificates,
    handlers: {
      watch: async function* (_request, { signal }) {
        yield WatchMigrationsResponse.fromPartial({});
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
      meet: async ({ requests, write }) => {
        for await (const _request of requests) write(MeetResponse.fromPartial({}));
      },
    },
  });
  const trustOnly = (ca: string) => {
    writeFileSync(files.ca, ca);
    certificates.look();
  };
  return { ...rig, certificates, policy, trustOnly };
}

function credentialsOf(signer: TestAuthority, uri = CONTROLLER): ChannelCredentials {
  const { cert, key } = signer.issue({ uris: [uri] });
  return ChannelCredentials.createSsl(Buffer.from(next.ca), Buffer.from(key), Buffer.from(cert), {
    checkServerIdentity: () => undefined,
  });
}

test("a connection by a CA that is not trusted any more is ended if no call is open on it", async (t) => {
  const { client, trustOnly, server } = await setUp(t);
  const before = client(MigrationServiceClient, credentialsOf(old));
  const now = client(MigrationServiceClient, credentialsOf(next));
  await ask(before, before.listMigrations, LIST);
  await ask(now, now.listMigrations, LIST);
  trustOnly(next.ca);
  await until("one connection to be ended", () => server.listener.connections.open === 1);
  const { code } = await failure(ask(before, before.listMigrations, LIST));
  assert.equal(code, status.UNAVAILABLE);
  assert.equal(now.getChannel().getConnectivityState(false), connectivityState.READY);
  await ask(now, now.listMigrations, LIST);
});

test("one on which a call is open goes on with it, and ends with it", async (t) => {
  const { client, trustOnly, server, lines } = await setUp(t);
  const caller = client(MigrationServiceClient, credentialsOf(old));
  const watching = caller.watchMigrations(WatchMigrationsRequest.fromPartial({}));
  const { responses, ended } = collect(watching);
  await until("it to watch", () => responses.length === 1);
  trustOnly(next.ca);

  await ask(caller, caller.listMigrations, LIST);
  assert.match(lines.join(""), /"connections":1,.*not trusted any more/);
  assert.equal(server.listener.connections.open, 1);

  watching.cancel();
  await ended;
  await until("the connection to be ended", () => server.listener.connections.open === 0);
});

test("nothing new is begun on it", async (t) => {
  const { client, trustOnly } = await setUp(t);
  const peer = client(PeerServiceClient, credentialsOf(old, "ferry://agent/host-2"));
  const meet = peer.meet();
  const met = collect(meet);
  meet.write(MeetRequest.fromPartial({}));
  await until("it to meet", () => met.responses.length === 1);
  trustOnly(next.ca);
  meet.write(MeetRequest.fromPartial({}));
  await until("it to be heard all the same", () => met.responses.length === 2);
  const refused = await collect(peer.meet()).ended;
  assert.equal(refused?.code, status.PERMISSION_DENIED);
  assert.equal(refused && readFault(refused)?.reason, "FORBIDDEN");
  assert.match(refused?.message ?? "", /connect anew/);
  meet.cancel();
});

test("what it began may be looked at and ended, and that is all", () => {
  const kept = { kind: "certificate", name: CONTROLLER, hostId: undefined, policy: "" } as const;
  const peer = { ...kept, roles: ["controller", "operator"], isOutdated: true } as const;
  const { perform, confirm, abort, begin } = SourceServiceService;
  const { finish, prepare } = DestinationServiceService;
  const { listMigrations: list } = MigrationServiceService;
  const { stop } = GuestServiceService;
  for (const { path } of [perform, confirm, abort, finish, list]) requireCall(peer, path);
  const forbidden = { reason: "FORBIDDEN" };
  for (const { path } of [begin, prepare, stop]) {
    assert.throws(() => requireCall(peer, path), forbidden, path);
  }
  assert.throws(() => requireAsk(peer, "override"), forbidden);
  assert.throws(() => requireAsk(peer, "sweep"), forbidden);
  assert.throws(() => requireCall({ ...peer, roles: ["viewer"] }, finish.path), forbidden);
});

test("a CA that is renewed with its key outdates nobody", async (t) => {
  const { client, trustOnly, server } = await setUp(t);
  const caller = client(MigrationServiceClient, credentialsOf(next));
  await ask(caller, caller.listMigrations, LIST);
  trustOnly(makeAuthority("next", KEY).ca);
  assert.equal(server.listener.connections.open, 1);
  await ask(caller, caller.listMigrations, LIST);
});

for (const [what, signer, remaining, letIn] of [
  ["stays", next.below("intermediate"), next.ca, true],
  ["is taken out", old.below("intermediate"), next.ca, false],
] as const) {
  test(`whoever comes with an intermediate certificate stands and falls with the CA above it, which ${what}`, async (t) => {
    const { client, trustOnly, server } = await setUp(t);
    const caller = client(MigrationServiceClient, credentialsOf(signer));
    await ask(caller, caller.listMigrations, LIST);
    trustOnly(remaining);
    await until("the other connections to be ended", () => {
      return server.listener.connections.open === (letIn ? 1 : 0);
    });
    if (letIn) await ask(caller, caller.listMigrations, LIST);
    else
      assert.equal(
        (await failure(ask(caller, caller.listMigrations, LIST))).code,
        status.UNAVAILABLE,
      );
  });
}

for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`nor does a ticket that was given before let anybody in: ${maxVersion}`, async (t) => {
    const { server, trustOnly } = await setUp(t);
    const shown = old.issue({ uris: [CONTROLLER] });
    /** HTTP/2's greeting, and whether it is answered. */
    const greet = async (session?: Buffer) => {
      const socket = connect({
        ...shown,
        host: "127.0.0.1",
        port: server.port,
        ca: next.ca,
        maxVersion,
        ALPNProtocols: ["h2"],
        checkServerIdentity: () => undefined,
        ...(session === undefined ? {} : { session }),
      });
      const seen = { ticket: undefined as Buffer | undefined, reused: false, answered: false };
      socket.on("error", () => {});
      socket.once("secureConnect", () => {
        seen.reused = socket.isSessionReused();
      });
      const done = () => {
        if (seen.answered && (seen.ticket !== undefined || session !== undefined)) socket.destroy();
      };
      socket.on("session", (ticket) => {
        seen.ticket = ticket;
        done();
      });
      socket.on("data", () => {
        seen.answered = true;
        done();
      });
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0");
      await closed;
      return seen;
    };
    const first = await greet();
    assert.ok(first.answered && first.ticket);
    const again = await greet(first.ticket);
    assert.ok(again.answered && again.reused, "tickets are not even given");
    trustOnly(next.ca);
    assert.equal((await greet(first.ticket)).answered, false);
  });
}

test("whoever reads metrics over a connection of before shows a certificate again", async (t) => {
  const { certificates, policy, metrics, trustOnly } = await setUp(t);
  const { registry } = metrics;
  const tls = { certificates, policy };
  const served = await serveMetrics({ listen: "127.0.0.1:0", registry, tls, ready: () => true });
  t.after(() => served.close());
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const shown = old.issue({ uris: [CONTROLLER] });
  const read = () =>
    new Promise<number | undefined>((resolve, reject) => {
      const { port } = served;
      const options = { agent, port, path: "/metrics", ca: next.ca, ...shown };
      get({ ...options, checkServerIdentity: () => undefined }, (response) => {
        response.resume().once("end", () => resolve(response.statusCode));
      }).once("error", reject);
    });
  assert.equal(await read(), 200);
  assert.equal(await read(), 200);
  trustOnly(next.ca);
  await assert.rejects(read);
});
