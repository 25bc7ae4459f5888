import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect as connectTls, createSecureContext, type SecureVersion } from "node:tls";
import {
  type HealthCheckResponse,
  HealthClient,
  type HealthListResponse,
  MeetRequest,
  MigrationServiceClient,
  PeerServiceClient,
  readFault,
  ServerReflectionClient,
  HealthCheckResponse_ServingStatus as Serving,
} from "@ferry/contract";
import { makeAuthority, type TestNames } from "@ferry/tether/certificates-for-tests";
import { ChannelCredentials, status } from "@grpc/grpc-js";
import { serve } from "./agent-server.js";
import { ask, collect, failure, servicesOf, until } from "./calls-for-tests.js";
import { Certificates } from "./certificates.js";
import type { Config } from "./config.js";
import { parseConfig } from "./config-file.js";
import { makeLogger } from "./logs.js";
import { peerDialer } from "./peer-dialer.js";
import { BUILT_IN, parsePattern } from "./policy.js";
import { makeRig } from "./server-for-tests.js";

const LIST = { expectedAgentId: "", guestId: "" };
const DAY_MS = 24 * 60 * 60 * 1000;
const authority = makeAuthority();
const POLICY = { current: BUILT_IN };

function writeCertificates(dir: string, names: TestNames): Config["tls"] {
  const files = { cert: join(dir, "crt"), key: join(dir, "key"), ca: join(dir, "ca") };
  const { cert, key } = authority.issue(names);
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key);
  writeFileSync(files.ca, authority.ca);
  return files;
}

/** That host's certificates, on disk. */
function certificatesFor(t: TestContext, hostId: string) {
  const dir = mkdtempSync(join(tmpdir(), "ferry-server-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const files = writeCertificates(dir, { uris: [`ferry://agent/${hostId}`] });
  const log = makeLogger({ level: "fatal", base: {} }, { write: () => {} });
  const certificates = new Certificates({ files, hostId, log, policy: POLICY });
  t.after(() => certificates.stop());
  return { certificates, dir };
}

/** Credentials of somebody with a certificate of the right CA, who does not look at the server's. */
function credentialsOf(names: TestNames, signer = authority): ChannelCredentials {
  const { cert, key } = signer.issue(names);
  return ChannelCredentials.createSsl(
    Buffer.from(authority.ca),
    Buffer.from(key),
    Buffer.from(cert),
    { checkServerIdentity: () => undefined },
  );
}

test("an agent that has just started says so, and takes calls once it is open", async (t) => {
  const { server, migrations, client } = await makeRig(t, { starting: true });
  const health = client(HealthClient);
  const check = async () =>
    (await ask<{ service: string }, HealthCheckResponse>(health, health.check, { service: "" }))
      .status;
  const error = await failure(ask(migrations, migrations.listMigrations, LIST));
  assert.equal(error.code, status.UNAVAILABLE);
  assert.equal(readFault(error)?.reason, "STARTING");
  assert.equal(await check(), Serving.NOT_SERVING);

  server.open();
  await ask(migrations, migrations.listMigrations, LIST);
  assert.equal(await check(), Serving.SERVING);

  server.drain();
  await ask(migrations, migrations.listMigrations, LIST); // what was begun goes on
  assert.equal(await check(), Serving.NOT_SERVING);
});

test("health is told per service, and an unknown one is not found", async (t) => {
  const { client } = await makeRig(t);
  const health = client(HealthClient);
  const { status: peer } = await ask<{ service: string }, HealthCheckResponse>(
    health,
    health.check,
    { service: "ferry.v1.PeerService" },
  );
  assert.equal(peer, Serving.SERVING);
  const error = await failure(ask(health, health.check, { service: "ferry.v1.Nothing" }));
  assert.equal(error.code, status.NOT_FOUND);
});

test("one that is not known may be watched all the same, and the others are listed", async (t) => {
  const { client } = await makeRig(t);
  const health = client(HealthClient);
  const watch = health.watch({ service: "ferry.v1.Nothing" });
  const { responses } = collect<HealthCheckResponse>(watch);
  await until("its first word", () => responses.length === 1);
  assert.equal(responses[0]?.status, Serving.SERVICE_UNKNOWN);
  watch.cancel();
  const { statuses } = await ask<object, HealthListResponse>(health, health.list, {});
  assert.deepEqual(statuses["ferry.v1.PeerService"], { status: Serving.SERVING });
  assert.ok(!("ferry.v1.Nothing" in statuses));
});

test("whoever watches an agent's health hears of its draining", async (t) => {
  const { server, client } = await makeRig(t);
  const health = client(HealthClient);
  const watch = health.watch({ service: "" });
  const { responses } = collect<HealthCheckResponse>(watch);
  await until("the first word", () => responses.length === 1);
  server.drain();
  await until("the second word", () => responses.length === 2);
  assert.deepEqual(
    responses.map((each) => each.status),
    [Serving.SERVING, Serving.NOT_SERVING],
  );
  watch.cancel();
});

/** What the health of that name is, asked without a certificate. */
function probe(t: TestContext, port: number | undefined) {
  const plain = new HealthClient(`127.0.0.1:${port}`, ChannelCredentials.createInsecure());
  t.after(() => plain.close());
  return async (service: string) =>
    (await ask<{ service: string }, HealthCheckResponse>(plain, plain.check, { service })).status;
}

test("a probe without a certificate asks for health on a port of its own, and for nothing else", async (t) => {
  const { certificates } = certificatesFor(t, "host-1");
  const { server, client } = await makeRig(t, { certificates, starting: true });
  const check = probe(t, server.healthPort);
  assert.equal(await check(""), Serving.NOT_SERVING);
  assert.equal(await check("ferry.liveness"), Serving.SERVING, "it is alive while it starts");
  server.open();
  assert.equal(await check(""), Serving.SERVING);
  assert.equal(await check("ferry.v1.PeerService"), Serving.SERVING);
  server.drain();
  assert.equal(await check(""), Serving.NOT_SERVING);
  assert.equal(await check("ferry.liveness"), Serving.SERVING, "and while it drains");

  const insecure = ChannelCredentials.createInsecure();
  const elsewhere = new MigrationServiceClient(`127.0.0.1:${server.healthPort}`, insecure);
  t.after(() => elsewhere.close());
  const refused = await failure(ask(elsewhere, elsewhere.listMigrations, LIST));
  assert.equal(refused.code, status.UNIMPLEMENTED);
  const reflection = new ServerReflectionClient(`127.0.0.1:${server.healthPort}`, insecure);
  t.after(() => reflection.close());
  const { ended } = collect(reflection.serverReflectionInfo());
  assert.equal((await ended)?.code, status.UNIMPLEMENTED);

  // With a certificate it is asked on the usual port, too, whatever role it has.
  const named = client(HealthClient, credentialsOf({ dns: ["nobody.example"] }));
  const { status: alive } = await ask<{ service: string }, HealthCheckResponse>(
    named,
    named.check,
    { service: "ferry.liveness" },
  );
  assert.equal(alive, Serving.SERVING);
});

test("health_listen: off opens no such port", async (t) => {
  const { log, metrics } = await makeRig(t);
  const server = await serve({
    config: parseConfig('listen: "127.0.0.1:0"\nhealth_listen: off\nplaintext: true', "source"),
    role: "source",
    log,
    metrics,
    certificates: undefined,
    policy: POLICY,
    services: [],
    add: () => {},
  });
  t.after(() => server.close(0));
  assert.equal(server.healthPort, undefined);
});

test("a state directory that does not answer makes the agent not alive, until it does", async (t) => {
  const { server, stateDir, metrics } = await makeRig(t, {
    config: "timeouts: {liveness_ms: 200}",
  });
  const check = probe(t, server.healthPort);
  await until("the first look to have written", () =>
    existsSync(join(stateDir, ".alive.destination")),
  );
  // Opening a FIFO that nobody reads hangs, as a file does on storage that has gone away.
  execFileSync("mkfifo", [join(stateDir, "fifo")]);
  // At once: a look would make a file again.
  renameSync(join(stateDir, "fifo"), join(stateDir, ".alive.destination"));
  const hung = async () =>
    (await metrics.registry.metrics()).includes('_hung{role="destination"} 1');
  // Both at once: on a busy disk the look before may have been late, too, and have answered since.
  await until(
    "it to be noticed",
    async () => (await check("ferry.liveness")) === Serving.NOT_SERVING && (await hung()),
  );
  assert.equal(await check(""), Serving.SERVING, "readiness is about something else");
  const reader = openSync(
    join(stateDir, ".alive.destination"),
    constants.O_RDONLY | constants.O_NONBLOCK,
  );
  t.after(() => closeSync(reader));
  await until("it to answer again", async () => !(await hung()));
  assert.equal(await check("ferry.liveness"), Serving.SERVING);
});

test("reflection lists the agent's services", async (t) => {
  const { client } = await makeRig(t);
  assert.match(
    await servicesOf(client(ServerReflectionClient)),
    /ferry\.v1\.MigrationService.*ferry\.v1\.PeerService/,
  );
});

test("a deadline nobody could keep is refused in words, and a long one is kept", async (t) => {
  const { peer } = await makeRig(t);
  for (const days of [25, 60, 5_000]) {
    const { ended } = collect(peer.meet({ deadline: Date.now() + days * DAY_MS }));
    assert.equal(readFault(await ended)?.reason, "INVALID_REQUEST", `${days} days`);
  }
  const { ended } = collect(peer.meet({ deadline: Date.now() + 23 * DAY_MS }));
  assert.equal(await ended, undefined);
});

test("a message larger than the limit is refused", async (t) => {
  const { migrations, peer, lines } = await makeRig(t, {
    config: "limits: {message_bytes_max: 65536}",
    handlers: {
      meet: async ({ requests, signal }) => {
        for await (const _ of requests) if (signal.aborted) return;
      },
    },
  });
  const guestId = "x".repeat(100_000);
  const error = await failure(ask(migrations, migrations.listMigrations, { ...LIST, guestId }));
  assert.equal(error.code, status.RESOURCE_EXHAUSTED);
  const fault = readFault(error);
  assert.equal(fault?.reason, "MESSAGE_TOO_LARGE");
  assert.match(fault.message, /65536.*message_bytes_max/);
  assert.equal(fault.retryAfterMs, undefined, "no repeat would mend it");
  await until("it is logged as what it is", () =>
    lines.some((line) => /ListMigrations.*"code":"RESOURCE_EXHAUSTED"/.test(line)),
  );

  const call = peer.meet();
  const told = collect(call).ended;
  call.write({ ...MeetRequest.fromPartial({}), guestId });
  assert.equal(readFault(await told)?.reason, "MESSAGE_TOO_LARGE", "on a stream, too");
});

test("more connections than the limit are turned away, and the log says so", async (t) => {
  const { server, lines, migrations } = await makeRig(t, {
    config: "limits: {connections_max: 1}",
  });
  await ask(migrations, migrations.listMigrations, LIST);
  const second = connectTcp(server.port, "127.0.0.1");
  await new Promise((resolve) => second.once("close", resolve));
  await until("it is logged", () =>
    /turned away.*too_many|too_many.*turned away/.test(lines.join("")),
  );
  await ask(migrations, migrations.listMigrations, LIST);
});

test("with TLS, callers without a certificate of our CA are turned away", async (t) => {
  const { certificates } = certificatesFor(t, "host-1");
  const { client } = await makeRig(t, { certificates });
  const stranger = credentialsOf({ uris: ["ferry://agent/host-1"] }, makeAuthority());
  const nobody = ChannelCredentials.createSsl(Buffer.from(authority.ca), null, null, {
    checkServerIdentity: () => undefined,
  });
  for (const credentials of [stranger, nobody, ChannelCredentials.createInsecure()]) {
    const caller = client(MigrationServiceClient, credentials);
    const error = await failure(ask(caller, caller.listMigrations, LIST));
    assert.equal(error.code, status.UNAVAILABLE);
  }
});

test("a caller without the role is refused in words, counted and logged", async (t) => {
  const { certificates } = certificatesFor(t, "host-1");
  const { client, metrics, lines } = await makeRig(t, { certificates });
  const controller = credentialsOf({ uris: ["ferry://controller/ops"] });
  const { ended } = collect(client(PeerServiceClient, controller).meet());
  const refused = readFault(await ended);
  assert.equal(refused?.reason, "PEER_ONLY");
  assert.match(
    refused.message,
    /^ferry\.v1\.PeerService\/Meet is for agent, and ferry:\/\/controller\/ops is controller there/,
  );
  const allowed = client(MigrationServiceClient, controller);
  await ask(allowed, allowed.listMigrations, LIST);

  for (const names of [
    { dns: ["x, URI:ferry://controller/ops"] }, // only looks like one
    { uris: ["ferry://agent/host-2"] }, // an agent has no business here
  ]) {
    const caller = client(MigrationServiceClient, credentialsOf(names));
    const error = await failure(ask(caller, caller.listMigrations, LIST));
    assert.equal(error.code, status.PERMISSION_DENIED);
    assert.equal(readFault(error)?.metadata.identity, names.dns?.[0] ?? names.uris?.[0]);
  }
  const text = await metrics.registry.metrics();
  assert.match(text, /ferry_permission_denied_total\{reason="PEER_ONLY"\} 1/);
  assert.match(text, /ferry_permission_denied_total\{reason="FORBIDDEN"\} 2/);
  const [first = ""] = lines.filter((line) => /permission denied/.test(line));
  assert.match(first, /"method":"ferry.v1.PeerService\/Meet".*ferry:\/\/controller\/ops/);
});

test("a caller that speaks no TLS newer than 1.2 is served, and an older one is not", async (t) => {
  const { certificates } = certificatesFor(t, "host-1");
  const { client } = await makeRig(t, { certificates });
  const { cert, key } = authority.issue({ uris: ["ferry://controller/ops"] });
  const speaking = (version: SecureVersion) =>
    client(
      MigrationServiceClient,
      ChannelCredentials.createFromSecureContext(
        createSecureContext({
          ca: authority.ca,
          cert,
          key,
          minVersion: version,
          maxVersion: version,
          ciphers: "DEFAULT@SECLEVEL=0", // OpenSSL itself would refuse to speak the older one
        }),
        { checkServerIdentity: () => undefined },
      ),
    );
  const current = speaking("TLSv1.2");
  await ask(current, current.listMigrations, LIST);
  const old = speaking("TLSv1.1");
  assert.equal((await failure(ask(old, old.listMigrations, LIST))).code, status.UNAVAILABLE);
});

test("a policy of one's own gives roles to names of another kind", async (t) => {
  const { certificates } = certificatesFor(t, "host-1");
  const policy = {
    source: "policy.yaml",
    patterns: { ...BUILT_IN.patterns, viewer: [parsePattern("*.ops.example", "viewer")] },
  };
  const { client } = await makeRig(t, { certificates, policy });
  const caller = client(MigrationServiceClient, credentialsOf({ dns: ["grafana.ops.example"] }));
  await ask(caller, caller.listMigrations, LIST);
});

test("an agent meets an agent, each knowing the other's host by its certificate", async (t) => {
  const one = certificatesFor(t, "host-1").certificates;
  const other = certificatesFor(t, "host-2").certificates;
  const peers: unknown[] = [];
  const { server } = await makeRig(t, {
    certificates: one,
    handlers: { meet: async ({ peer }) => void peers.push(peer) },
  });
  const dial = peerDialer(parseConfig("", "source"), other, POLICY);
  const client = dial(`127.0.0.1:${server.port}`, "host-1/destination");
  t.after(() => client.close());
  assert.equal(await collect(client.meet()).ended, undefined);
  assert.deepEqual(peers, [
    {
      kind: "certificate",
      name: "ferry://agent/host-2",
      roles: ["agent"],
      hostId: "host-2",
      policy: "the built-in policy",
      isOutdated: false,
    },
  ]);
});

test("an address that leads to another host than was meant is noticed before a word is said", async (t) => {
  const { certificates } = certificatesFor(t, "host-1");
  let met = false;
  const { server } = await makeRig(t, {
    certificates,
    handlers: {
      meet: async () => {
        met = true;
      },
    },
  });
  const dial = peerDialer(parseConfig("", "source"), certificates, POLICY);
  const client = dial(`127.0.0.1:${server.port}`, "host-3/destination");
  t.after(() => client.close());
  const call = client.meet();
  call.write(MeetRequest.fromPartial({}));
  const error = await collect(call).ended;
  assert.equal(error?.code, status.UNAVAILABLE);
  assert.match(error?.details ?? "", /belongs to host host-1, not to an agent of host-3/);
  assert.equal(met, false);
});

test("an address is an address, even one that looks like a socket's", async (t) => {
  const dial = peerDialer(parseConfig("", "source"), undefined, POLICY);
  const client = dial("unix:1", "host-3/destination");
  t.after(() => client.close());
  const error = await collect(client.meet()).ended;
  assert.match(error?.details ?? "", /resolution failed|ENOTFOUND|EAI_AGAIN/);
});

test("a renewed certificate is shown to new callers without a restart", async (t) => {
  const { certificates, dir } = certificatesFor(t, "host-1");
  const { server } = await makeRig(t, { certificates });
  const { cert, key } = authority.issue({ uris: ["ferry://controller/ops"] });
  const serial = () =>
    new Promise<string>((resolve, reject) => {
      const options = { port: server.port, host: "127.0.0.1", ca: authority.ca, cert, key };
      const socket = connectTls(
        { ...options, ALPNProtocols: ["h2"], checkServerIdentity: () => undefined },
        () => {
          resolve(socket.getPeerCertificate().serialNumber);
          socket.destroy();
        },
      );
      socket.once("error", reject);
    });
  const before = await serial();
  writeCertificates(dir, { uris: ["ferry://agent/host-1"] });
  certificates.look();
  assert.notEqual(await serial(), before);
});

test("calls are counted under the names dashboards know, refused ones included", async (t) => {
  const { server, migrations, metrics, client } = await makeRig(t, { starting: true });
  await failure(ask(migrations, migrations.listMigrations, LIST));
  server.open();
  await ask(migrations, migrations.listMigrations, LIST);
  const slow = client(MigrationServiceClient);
  await ask(slow, slow.listMigrations, LIST);
  const text = await metrics.registry.metrics();
  const labels =
    'grpc_type="unary",grpc_service="ferry.v1.MigrationService",grpc_method="ListMigrations"';
  assert.ok(text.includes(`grpc_server_started_total{${labels}} 3`));
  assert.ok(text.includes(`grpc_server_handled_total{${labels},grpc_code="OK"} 2`));
  assert.ok(text.includes(`grpc_server_handled_total{${labels},grpc_code="UNAVAILABLE"} 1`));
  assert.ok(text.includes(`grpc_server_handling_seconds_count{${labels}} 3`));
  assert.ok(text.includes(`grpc_server_msg_received_total{${labels}} 2`));
  assert.ok(text.includes(`grpc_server_msg_sent_total{${labels}} 2`));
});

test("a port that is taken is named", async (t) => {
  const { server, log, metrics } = await makeRig(t);
  const taken = serve({
    config: parseConfig(`listen: "127.0.0.1:${server.port}"\nhealth_listen: off`, "source"),
    role: "source",
    log,
    metrics,
    certificates: undefined,
    policy: POLICY,
    services: [],
    add: () => {},
  });
  await assert.rejects(taken, new RegExp(`cannot listen on 127.0.0.1, port ${server.port}`));
});
