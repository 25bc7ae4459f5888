/*
 * Goal: whatever ends a caller's stream cuts its tether, once, with the right cause, and nothing else
 * does. Method: real servers and callers over real sockets, in plaintext and over mutual TLS; callers
 * that are killed or frozen are processes of their own.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, describe, type TestContext, test } from "node:test";
import {
  cause,
  makeCertificates,
  Rig,
  type RigOptions,
  type Tied,
  within,
} from "./rig-for-tests.js";

const certificates = makeCertificates();

for (const security of ["plaintext", "mutual TLS"] as const) {
  describe(`over ${security}, a tether`, () => {
    let rig: Rig;
    const start = async (options: RigOptions = {}) => {
      const secured = security === "plaintext" ? {} : { certificates };
      rig = await Rig.start({ ...options, ...secured });
    };
    afterEach(() => rig.close());

    test("is cut by a caller that cancels", async () => {
      await start();
      const call = rig.hold();
      const tied = await rig.nextTie();
      call.cancel();
      assert.equal(await cause(tied), "cancelled");
    });

    test("is cut when the caller's process is killed", async () => {
      await start();
      const caller = await rig.caller();
      const tied = await rig.nextTie();
      caller.kill("SIGKILL");
      assert.equal(await cause(tied), "connection_lost");
    });

    test("is cut when the connection is reset", async (t) => {
      await start();
      const wire = await Wire.to(rig.listener.port, t);
      rig.hold(rig.client(wire.port));
      const tied = await rig.nextTie();
      wire.reset();
      assert.equal(await cause(tied), "connection_lost");
    });

    test("is cut when the caller freezes", async () => {
      await start({ keepalive: { timeMs: 200, timeoutMs: 600 } });
      const caller = await rig.caller();
      const tied = await rig.nextTie();
      caller.kill("SIGSTOP");
      assert.equal(await cause(tied), "keepalive");
    });

    test("is cut when the network between swallows everything", async (t) => {
      await start({ keepalive: { timeMs: 200, timeoutMs: 600 } });
      const wire = await Wire.to(rig.listener.port, t);
      rig.hold(rig.client(wire.port));
      const tied = await rig.nextTie();
      wire.mute();
      assert.equal(await cause(tied), "keepalive");
    });

    test("is cut when its client says goodbye, and not as if it had frozen", async () => {
      await start({ keepalive: { timeMs: 200, timeoutMs: 600 } });
      const client = rig.client();
      rig.hold(client);
      const tied = await rig.nextTie();
      client.close();
      assert.equal(await cause(tied), "connection_lost");
    });

    test("is cut when the call's deadline passes", async () => {
      await start();
      rig.hold(rig.client(), { deadline: new Date(Date.now() + 500) });
      assert.equal(await cause(await rig.nextTie()), "deadline");
    });

    test("is cut by the deadline of a caller that reads nothing", async (t) => {
      await start();
      const wire = await Wire.to(rig.listener.port, t);
      rig.hold(rig.client(wire.port), { deadline: new Date(Date.now() + 1_000) });
      const tied = await rig.nextTie();
      wire.mute();
      tied.call.write(Buffer.alloc(1 << 20)); // more than flow control lets through
      assert.equal(await cause(tied), "deadline");
    });

    test("is cut when three heartbeats are missed", async () => {
      await start({ heartbeatMs: 100 });
      rig.hold();
      assert.equal(await cause(await rig.nextTie()), "heartbeat");
    });

    test("holds while the caller beats", async () => {
      await start({ heartbeatMs: 100 });
      await rig.caller(50);
      const tied = await rig.nextTie();
      await beats(tied, 30); // 1.5 s: five times what would have cut it
      assert.equal(await stateOf(tied), "held");
    });

    test("is cut, with no other one, when messages come by the thousand", async () => {
      await start();
      rig.hold();
      const quiet = await rig.nextTie();
      const flood = rig.hold();
      const tied = await rig.nextTie();
      let heard = 0;
      tied.call.on("data", () => {
        heard += 1;
      });
      for (let sent = 0; sent < 20_000; sent += 1) flood.write(Buffer.alloc(0));
      assert.equal(await cause(tied), "heartbeat");
      assert.ok(heard < 2_000, `${heard} messages were read, and the rest should have been left`);
      assert.equal(await stateOf(quiet), "held");
    });

    test("holds when a caller that stood still sends a minute's heartbeats at once", async () => {
      await start({ heartbeatMs: 100 });
      const call = rig.hold();
      const tied = await rig.nextTie();
      for (let sent = 0; sent < 500; sent += 1) call.write(Buffer.alloc(0));
      await beats(tied, 500);
      assert.equal(await stateOf(tied), "held");
    });

    test("survives a stall of the agent itself while the caller beats", async () => {
      await start({ heartbeatMs: 100 });
      await rig.caller(50);
      const tied = await rig.nextTie();
      await beats(tied, 1);
      for (let times = 0; times < 3; times += 1) {
        stall(1_000);
        await beats(tied, 1);
      }
      assert.equal(await stateOf(tied), "held");
    });

    test("is not cut by a half-close", async () => {
      await start({ keepalive: { timeMs: 100, timeoutMs: 1_000 } });
      const call = rig.hold();
      const tied = await rig.nextTie();
      call.end();
      await within("the half-close is heard", once(tied.call, "end"));
      const echo = once(call, "data");
      tied.call.write(Buffer.from("still here"));
      await within("the caller hears more", echo);
      assert.equal(await stateOf(tied), "held");
      call.cancel();
      assert.equal(await cause(tied), "cancelled");
    });

    test("of a call that was cancelled before it was tied is cut at once, with its cause", async () => {
      const admission = new Admission();
      await start({ admission: (call) => admission.untilCancelled(call) });
      const call = rig.hold();
      await within("it is being admitted", admission.begun);
      call.cancel();
      assert.equal(await cause(await rig.nextTie()), "cancelled");
    });

    test("of a caller that died before it was tied is cut at once, with its cause", async (t) => {
      const admission = new Admission();
      await start({ admission: (call) => admission.untilCancelled(call) });
      const wire = await Wire.to(rig.listener.port, t);
      rig.hold(rig.client(wire.port));
      await within("it is being admitted", admission.begun);
      wire.reset();
      assert.equal(await cause(await rig.nextTie()), "connection_lost");
    });

    test("that was untied is never cut", async () => {
      await start({ heartbeatMs: 100 });
      const call = rig.hold();
      const tied = await rig.nextTie();
      tied.tie.untie();
      const gone = once(tied.call, "cancelled");
      call.cancel();
      await within("the call is gone", gone);
      assert.equal(await stateOf(tied), "held");
      assert.equal(rig.tethers.open, 0);
    });

    test("is cut once: the first cause stays", async () => {
      await start();
      const call = rig.hold();
      const tied = await rig.nextTie();
      rig.tethers.cutAll("shutdown");
      const gone = once(tied.call, "cancelled");
      call.cancel();
      await within("the call is gone", gone);
      assert.equal(await cause(tied), "shutdown");
    });

    test("is cut alone: another one, even on the same connection, holds", async () => {
      await start();
      const client = rig.client();
      const first = rig.hold(client);
      const tiedFirst = await rig.nextTie();
      rig.hold(client);
      const tiedSecond = await rig.nextTie();
      first.cancel();
      assert.equal(await cause(tiedFirst), "cancelled");
      assert.equal(await stateOf(tiedSecond), "held");
      assert.equal(rig.tethers.open, 1);
    });

    test("is cut with all others when the agent goes away", async () => {
      await start();
      rig.hold();
      rig.hold();
      const ties = [await rig.nextTie(), await rig.nextTie()];
      rig.tethers.cutAll("shutdown");
      assert.deepEqual(await Promise.all(ties.map(cause)), ["shutdown", "shutdown"]);
      assert.equal(rig.tethers.open, 0);
    });
  });
}

/** An admission that takes longer than its caller's patience. */
class Admission {
  #begin: () => void = () => {};
  readonly begun = new Promise<void>((resolve) => {
    this.#begin = resolve;
  });

  async untilCancelled(call: Tied["call"]): Promise<void> {
    const cancelled = once(call, "cancelled");
    this.#begin();
    await within("the call is cancelled", cancelled);
  }
}

/** Whether it was cut by now, everything that already happened included. */
async function stateOf({ tie }: Tied): Promise<string> {
  const now = new Promise<string>((resolve) => setImmediate(resolve, "held"));
  return Promise.race([tie.cut.then(({ cause }) => `cut: ${cause}`), now]);
}

async function beats({ call, tie }: Tied, count: number): Promise<void> {
  const cut = tie.cut.then(({ cause }) => Promise.reject(new Error(`cut: ${cause}`)));
  for (let beat = 0; beat < count; beat += 1) {
    await within("a beat", Promise.race([once(call, "data"), cut]));
  }
}

/** Keeps the event loop from turning, as a long computation would. */
function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** A wire between caller and agent that can be made to misbehave. */
class Wire {
  readonly #near = new Set<Socket>();
  readonly #far = new Set<Socket>();

  private constructor(private readonly server: ReturnType<typeof createServer>) {}

  static async to(port: number, t: TestContext): Promise<Wire> {
    const server = createServer({ pauseOnConnect: true });
    const wire = new Wire(server);
    t.after(() => wire.#close());
    server.on("connection", (near) => {
      const far = connect(port, "127.0.0.1");
      wire.#near.add(near);
      wire.#far.add(far);
      for (const socket of [near, far]) socket.on("error", () => {});
      near.pipe(far).pipe(near);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return wire;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** The agent gets an RST. */
  reset(): void {
    for (const far of this.#far) far.resetAndDestroy();
  }

  /** Nothing passes any more, and nobody is told. */
  mute(): void {
    for (const socket of [...this.#near, ...this.#far]) {
      socket.unpipe();
      socket.pause();
    }
  }

  #close(): void {
    for (const socket of [...this.#near, ...this.#far]) socket.destroy();
    this.server.close();
  }
}
