/*
 * Goal: no stranger at the door harms a caller inside. Method: real sockets that say nothing, say
 * nonsense, or are one too many, beside a tether that must hold.
 */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2, constants } from "node:http2";
import { connect, type Server as Door, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { afterEach, describe, test } from "node:test";
import { Metadata, Server, ServerCredentials } from "@grpc/grpc-js";
import { listen } from "./listener.js";
import { cause, METHOD, makeCertificates, Rig, within } from "./rig-for-tests.js";

const certificates = makeCertificates();
/** RFC 8446: a handshake record that promises 512 bytes. */
const HALF_A_CLIENT_HELLO = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]);

/** Frames that cost next to nothing to send. nghttp2 itself sees to the resets. */
const FLOODS: readonly [what: string, send: (to: ClientHttp2Session) => void, why?: string][] = [
  ["pings", (to) => void to.ping(() => {}), "ping_flood"],
  ["settings", (to) => to.settings({ enablePush: false }), "settings_flood"],
  [
    "streams that it resets at once",
    (to) => {
      const stream = to.request({ ":method": "POST", ":path": METHOD.path, te: "trailers" });
      stream.on("error", () => {});
      stream.close(constants.NGHTTP2_CANCEL);
    },
  ],
];

for (const security of ["plaintext", "mutual TLS"] as const) {
  describe(`the door, over ${security}`, () => {
    const scheme = security === "plaintext" ? "http" : "https";
    let rig: Rig;
    const turnedAway: string[] = [];
    const start = async (options: Parameters<typeof Rig.start>[0]) => {
      turnedAway.length = 0;
      rig = await Rig.start({
        ...options,
        refused: (why) => turnedAway.push(why),
        ...(security === "plaintext" ? {} : { certificates }),
      });
      rig.hold();
      return rig.nextTie();
    };
    afterEach(() => rig.close());

    test("a connection that the kernel does not hand over, again and again, hurts nobody", async () => {
      const doors: Door[] = [];
      const note = (message: unknown) => {
        const { server } = (message as { socket: Socket & { server?: Door } }).socket; // net's own
        if (server !== undefined) doors.push(server);
      };
      subscribe("net.server.socket", note);
      const { call } = await start({});
      unsubscribe("net.server.socket", note);
      // Which is how net tells of it, and no other error reaches a server that listens.
      for (const code of ["EMFILE", "ENFILE"]) {
        doors[0]?.emit("error", Object.assign(new Error(`accept ${code}`), { code }));
      }
      assert.deepEqual(turnedAway, ["accept_failed", "accept_failed"]);
      assert.equal(call.cancelled, false);
    });

    for (const [what, said] of [
      ["nothing", Buffer.alloc(0)],
      ["half a greeting", security === "plaintext" ? Buffer.from("PRI * HT") : HALF_A_CLIENT_HELLO],
    ] as const) {
      test(`puts out who says ${what}, and nobody else`, async () => {
        const { call } = await start({ handshakeTimeoutMs: 200 });
        const stranger = knock(rig.listener.port, said);
        await within("the stranger is put out", once(stranger, "close"));
        assert.deepEqual(turnedAway, ["handshake_timeout"]);
        assert.equal(call.cancelled, false);
      });
    }

    test("ends a connection that talks nonsense, and nothing else", async () => {
      const { call } = await start({ handshakeTimeoutMs: 60_000 });
      const stranger = knock(rig.listener.port, Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
      await within("the stranger is put out", once(stranger, "close"));
      assert.equal(call.cancelled, false);
    });

    test("lives when a stranger resets the connection in the middle of the greeting", async () => {
      const { call } = await start({});
      const stranger = knock(rig.listener.port, HALF_A_CLIENT_HELLO);
      await once(stranger, "connect");
      stranger.resetAndDestroy();
      rig.hold();
      await rig.nextTie();
      assert.equal(call.cancelled, false);
    });

    test("refuses one connection too many, and keeps those it has", async () => {
      const { call } = await start({ connectionsMax: 1 });
      const stranger = knock(rig.listener.port);
      await within("the stranger is turned away", once(stranger, "close"));
      assert.deepEqual(turnedAway, ["too_many"]);
      assert.equal(call.cancelled, false);
    });

    for (const [what, flood, why] of FLOODS) {
      // Below TLS it is the same, and here caller and agent share one loop: thousands of calls take long.
      if (security !== "plaintext" && why === undefined) continue;
      test(`puts out a caller that floods with ${what}, and nobody else`, async () => {
        const { call } = await start({});
        const flooder = connectHttp2(`${scheme}://localhost:${rig.listener.port}`, {
          ...(security === "plaintext" ? {} : certificates),
          maxOutstandingPings: 1e9,
          ...({ maxOutstandingSettings: 1e9 } as object), // not in @types/node
        });
        flooder.on("error", () => {});
        await once(flooder, "connect");
        const put = new Promise<void>((resolve) => flooder.once("close", resolve));
        while (!flooder.destroyed) {
          for (let count = 0; count < 100 && !flooder.destroyed; count += 1) flood(flooder);
          await new Promise(setImmediate);
        }
        await within("the flooder is put out", put);
        if (why !== undefined) assert.deepEqual(turnedAway, [why]);
        assert.equal(call.cancelled, false);
        rig.hold();
        await rig.nextTie(); // and takes new ones
      });
    }

    test("does not believe a caller that names another connection", async () => {
      await start({});
      const forged = new Metadata();
      forged.set("ferry-connection", "1");
      const { requestSerialize, responseDeserialize, path } = METHOD;
      const call = rig
        .client()
        .makeBidiStreamRequest(path, requestSerialize, responseDeserialize, forged);
      call.on("error", () => {});
      const { call: arrived } = await rig.nextTie();
      assert.deepEqual(arrived.metadata.get("ferry-connection"), ["2"]);
    });

    test("closes: calls may end for a while, and are ended then", async () => {
      const tied = await start({});
      await rig.listener.close(100);
      assert.notEqual(await cause(tied), "cancelled");
      assert.equal(rig.listener.connections.open, 0);
    });
  });
}

describe("a listener", () => {
  test("says which port it cannot have", async (t) => {
    const rig = await Rig.start();
    t.after(() => rig.close());
    const { port } = rig.listener;
    const options = { server: new Server(), credentials: ServerCredentials.createInsecure() };
    await assert.rejects(
      listen({ ...options, host: "127.0.0.1", port }),
      new RegExp(`cannot listen on 127\\.0\\.0\\.1, port ${port}: .*EADDRINUSE`),
    );
  });

  test("takes callers over IPv6, and tells their ends apart", async (t) => {
    if (
      !Object.values(networkInterfaces())
        .flat()
        .some((each) => each?.address === "::1")
    ) {
      t.skip("this machine has no IPv6 loopback");
      return;
    }
    const rig = await Rig.start({ host: "::1" });
    t.after(() => rig.close());
    const caller = await rig.caller(0, "[::1]");
    const tied = await rig.nextTie();
    caller.kill("SIGKILL");
    assert.equal(await cause(tied), "connection_lost");
  });
});

function knock(port: number, said: Buffer = Buffer.alloc(0)): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.resume();
  if (said.length > 0) socket.write(said);
  return socket;
}
