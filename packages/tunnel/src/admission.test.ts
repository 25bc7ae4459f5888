/*
 * Goal: only the migration's own source may open its tunnel, once, and whoever may not learns why without
 * disturbing it. Method: real pumps and, where a pump would never do such a thing, a bare client.
 */
import assert from "node:assert/strict";
import { type EventEmitter, once } from "node:events";
import { linkSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { tunnelMethod } from "@ferry/contract";
import { Client, type StatusObject, status } from "@grpc/grpc-js";
import { channelOptions } from "./connection.js";
import {
  type Afterwards,
  authority,
  incomingQemu,
  MIGRATION,
  openPair,
  PLAINTEXT,
  temporaryDirectory,
} from "./fixture.js";
import { channelCredentials, type Security } from "./security.js";
import { startTunnel } from "./tunnel.js";

/** A pump that waits, and a way to knock at it with something changed. */
async function waitingPump(test: Afterwards, security: Security = PLAINTEXT) {
  const directory = temporaryDirectory(test);
  const connectPath = join(directory, "incoming");
  const qemu = await incomingQemu(test, connectPath);
  const pump = await startTunnel({
    role: "accept",
    listen: { host: "127.0.0.1", ports: [0] },
    connectPath,
    security,
    ...MIGRATION,
  });
  test.after(() => pump.stop());
  const knock = async (changed: { migrationId?: string; key?: string; security?: Security }) => {
    const tunnel = await startTunnel({
      role: "dial",
      listenPath: join(directory, "outgoing"),
      address: { host: "127.0.0.1", port: pump.port },
      security: PLAINTEXT,
      ...MIGRATION,
      ...changed,
    });
    test.after(() => tunnel.stop());
    return tunnel;
  };
  return { pump, knock, qemu, directory };
}

test("a wrong key and another migration's id are refused, and the right ones still let in", async (t) => {
  const { knock } = await waitingPump(t);
  const refusal = /another migration's, or the key is not the one that `met` told/;
  await assert.rejects(knock({ key: "0".repeat(48) }), (error: Error) => {
    assert.match(error.message, refusal);
    assert.doesNotMatch(error.message, /000/, "the key must not be repeated");
    return true;
  });
  await assert.rejects(knock({ migrationId: "another" }), refusal);
  await knock({});
});

test("a certificate of another CA, and one that names another host, are refused by the pump that waits", async (t) => {
  const directory = temporaryDirectory(t);
  const ca = authority(directory);
  const { knock } = await waitingPump(t, ca.security("there", "here"));
  const ours = ca.security("here", "there");
  const stranger = authority(directory, "other").security("here", "there");
  assert.ok(ours.kind === "tls" && stranger.kind === "tls");

  await assert.rejects(knock({ security: { ...stranger, ca: ours.ca } }), /did not open/);
  await assert.rejects(
    knock({ security: ca.security("elsewhere", "there") }),
    /an agent that your certificate does not name/,
  );
  await assert.rejects(knock({ security: PLAINTEXT }), /did not open/);
  await knock({ security: ours });
});

test("a pump that dials does not take another host's answer for its peer's", async (t) => {
  const ca = authority(temporaryDirectory(t));
  const { knock } = await waitingPump(t, ca.security("impostor", "here"));
  await assert.rejects(
    knock({ security: ca.security("here", "there") }),
    /certificate is not that of host there/,
  );
});

test("a second opener is refused while the first goes on", async (t) => {
  const { source, destination, accept, directory } = await openPair(t);
  await assert.rejects(
    startTunnel({
      role: "dial",
      listenPath: join(directory, "second"),
      address: { host: "127.0.0.1", port: accept.port },
      security: PLAINTEXT,
      ...MIGRATION,
    }),
    /ECONNREFUSED/,
  );
  source.write("pages");
  assert.equal(String(await once(destination, "data")), "pages");
});

test("a second stream on the first one's connection is refused, and so is one that sends data first", async (t) => {
  const { pump } = await waitingPump(t);
  const client = new Client(
    `127.0.0.1:${pump.port}`,
    channelCredentials(PLAINTEXT),
    channelOptions,
  );
  t.after(() => client.close());
  const call = () => {
    const stream = client.makeBidiStreamRequest(
      tunnelMethod.path,
      tunnelMethod.requestSerialize,
      tunnelMethod.responseDeserialize,
    );
    stream.on("error", () => {});
    t.after(() => stream.cancel());
    return stream;
  };
  const rude = call();
  rude.write({ data: [Buffer.from("pages")] });
  assert.equal(await codeOf(rude), status.PERMISSION_DENIED);

  const first = call();
  first.write({ open: MIGRATION });
  await once(first, "metadata");
  const second = call();
  second.write({ open: MIGRATION });
  assert.equal(await codeOf(second), status.ALREADY_EXISTS);
});

/** How the call ended. Not `once`, which rejects at the `error` that comes beside the status. */
function codeOf(call: EventEmitter): Promise<status> {
  return new Promise((resolve) => call.on("status", ({ code }: StatusObject) => resolve(code)));
}

test("QEMU is not connected to before the right caller came", async (t) => {
  const { knock, qemu } = await waitingPump(t);
  let connections = 0;
  qemu.on("connection", () => {
    connections += 1;
  });
  await assert.rejects(knock({ key: "wrong" }));
  assert.equal(connections, 0);
  await knock({});
  assert.equal(connections, 1);
});

test("a destination whose QEMU does not wait tells the source why", async (t) => {
  const { knock, pump, qemu } = await waitingPump(t);
  qemu.close();
  await once(qemu, "close");
  await assert.rejects(knock({}), /the destination's QEMU: connect ENOENT/);
  assert.match((await pump.ended).reason, /the destination's QEMU: connect ENOENT/);
});

test("the first free port is taken; none free, and none given, are errors that name the range", async (t) => {
  const busy = createServer().listen(0, "127.0.0.1");
  await once(busy, "listening");
  t.after(() => busy.close());
  const address = busy.address();
  assert.ok(address !== null && typeof address === "object");
  const start = (ports: number[]) =>
    startTunnel({
      role: "accept",
      listen: { host: "127.0.0.1", ports },
      connectPath: "/nowhere",
      security: PLAINTEXT,
      ...MIGRATION,
    });
  const pump = await start([address.port, 0]);
  t.after(() => pump.stop());
  assert.notEqual(pump.port, address.port);
  await assert.rejects(
    start([address.port]),
    new RegExp(`none of the ports ${address.port} to ${address.port} on 127.0.0.1 is free`),
  );
  await assert.rejects(start([]), /no port is left/);
});

test("an address that is not this machine's is an error that says so", async () => {
  await assert.rejects(
    startTunnel({
      role: "accept",
      listen: { host: "192.0.2.1", ports: [0, 1] },
      connectPath: "/nowhere",
      security: PLAINTEXT,
      ...MIGRATION,
    }),
    /cannot listen on 192.0.2.1, port 0: .*EADDRNOTAVAIL/,
  );
});

test("a socket's path that the kernel would cut short is refused", async () => {
  await assert.rejects(
    startTunnel({
      role: "dial",
      listenPath: `/tmp/${"x".repeat(110)}`,
      address: { host: "127.0.0.1", port: 1 },
      security: PLAINTEXT,
      ...MIGRATION,
    }),
    /longer than 107 bytes/,
  );
});

test("a socket that a killed pump left behind is not in the way of the next one", async (t) => {
  const { knock, directory } = await waitingPump(t);
  const killed = createServer().listen(join(directory, "left"));
  await once(killed, "listening");
  linkSync(join(directory, "left"), join(directory, "outgoing"));
  killed.close();
  await knock({});
  const source = connect(join(directory, "outgoing"));
  await once(source, "connect");
  source.destroy();
});
