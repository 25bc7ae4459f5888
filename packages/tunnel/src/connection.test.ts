/*
 * Goal: the one private member of grpc-js that the tunnel reaches for does what it is there for, and a version
 * without it costs speed only. Method: a bare HTTP/2 client that reads the server's settings.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Settings } from "node:http2";
import { join } from "node:path";
import { test } from "node:test";
import { encodeTunnelRequest, tunnelMethod } from "@ferry/contract";
import { Server } from "@grpc/grpc-js";
import { WINDOW_BYTES, windowsOf } from "./connection.js";
import { incomingQemu, MIGRATION, PLAINTEXT, temporaryDirectory, until } from "./fixture.js";
import { startTunnel } from "./tunnel.js";

test("the caller's window is widened once it is let in, and a stranger's is not", async (t) => {
  const connectPath = join(temporaryDirectory(t), "incoming");
  await incomingQemu(t, connectPath);
  const pump = await startTunnel({
    role: "accept",
    listen: { host: "127.0.0.1", ports: [0] },
    connectPath,
    security: PLAINTEXT,
    ...MIGRATION,
  });
  t.after(() => pump.stop());
  const session = connect(`http://127.0.0.1:${pump.port}`);
  t.after(() => session.destroy());
  const [strangers] = (await once(session, "remoteSettings")) as [Settings];
  assert.equal(strangers.initialWindowSize, 65_535);

  const stream = session.request({
    ":method": "POST",
    ":path": tunnelMethod.path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  const message = encodeTunnelRequest({ open: MIGRATION });
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, 5);
  stream.write(frame);
  const [caller] = (await once(session, "remoteSettings")) as [Settings];
  assert.equal(caller.initialWindowSize, WINDOW_BYTES);
  await until(
    "the connection's window is as wide",
    () => (session.state.remoteWindowSize ?? 0) > WINDOW_BYTES / 2,
  );
});

test("a grpc-js without the member is left as it is", () => {
  const server = new Server();
  Object.defineProperty(server, "createHttp2Server", { value: undefined });
  assert.equal(windowsOf(server), undefined);
});
