/*
 * Goal: a pump never outlives its agent or its tunnel, nobody waits on a dead one, and nothing secret can be
 * seen from outside. Method: real processes, killed.
 */
import assert from "node:assert/strict";
import { fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  incomingQemu,
  isAlive,
  MIGRATION,
  openPair,
  openPumps,
  PLAINTEXT,
  temporaryDirectory,
  until,
} from "./fixture.js";
import type { Settings } from "./settings.js";
import { startTunnel } from "./tunnel.js";

test("kill -9 of both agents ends both pumps, and both QEMUs see their streams break", async (t) => {
  const directory = temporaryDirectory(t);
  const incoming = join(directory, "incoming");
  const outgoing = join(directory, "outgoing");
  const agent = async (settings: Settings) => {
    const program = fileURLToPath(new URL("./fixture-agent.js", import.meta.url));
    const child = fork(program, [JSON.stringify(settings)]);
    t.after(() => child.kill("SIGKILL"));
    const [pump] = (await once(child, "message")) as [{ pid: number; port: number }];
    return { child, pump };
  };
  const qemu = await incomingQemu(t, incoming);
  const connected = once(qemu, "connection");
  const there = await agent({
    role: "accept",
    listen: { host: "127.0.0.1", ports: [0] },
    connectPath: incoming,
    security: PLAINTEXT,
    ...MIGRATION,
  });
  const here = await agent({
    role: "dial",
    listenPath: outgoing,
    address: { host: "127.0.0.1", port: there.pump.port },
    security: PLAINTEXT,
    ...MIGRATION,
  });
  const [destination] = (await connected) as [Socket];
  const source = connect(outgoing);
  await once(source, "connect");
  const broken = Promise.all([broke(source), broke(destination)]);

  here.child.kill("SIGKILL");
  await until("the source's pump is gone", () => !isAlive(here.pump.pid));
  await broken;
  there.child.kill("SIGKILL");
  await until("the destination's pump is gone", () => !isAlive(there.pump.pid));
});

test("a pump that waits for its caller ends with its agent too", async () => {
  const settings: Settings = {
    role: "accept",
    listen: { host: "127.0.0.1", ports: [0] },
    connectPath: "/nowhere",
    security: PLAINTEXT,
    ...MIGRATION,
  };
  const program = fileURLToPath(new URL("./fixture-agent.js", import.meta.url));
  const child = fork(program, [JSON.stringify(settings)]);
  const [pump] = (await once(child, "message")) as [{ pid: number }];
  child.kill("SIGKILL");
  await until("the pump is gone", () => !isAlive(pump.pid));
});

for (const victim of ["dial", "accept"] as const) {
  test(`kill -9 of the pump that ${victim}s breaks both QEMUs' streams, and both ends say so`, async (t) => {
    const pair = await openPair(t);
    const { source, destination, dial, accept } = pair;
    const broken = Promise.all([broke(source), broke(destination)]);
    // Something is under way, as in a migration.
    source.write(Buffer.alloc(4 * 1024 * 1024));
    process.kill(pair[victim].pid, "SIGKILL");
    assert.match((await pair[victim].ended).reason, /without a word \(SIGKILL\)/);
    const survivor = victim === "dial" ? accept : dial;
    assert.match((await survivor.ended).reason, /pump/);
    await broken;
  });
}

for (const victim of ["source", "destination"] as const) {
  test(`the death of the ${victim}'s QEMU is seen by the other QEMU`, async (t) => {
    const pair = await openPair(t);
    const other = victim === "source" ? pair.destination : pair.source;
    const end = once(other.resume(), "end");
    pair[victim].destroy();
    await end;
    // Writing on, as QEMU would, breaks the tunnel.
    const closed = new Promise<void>((resolve) => other.once("close", () => resolve()));
    const writing = setInterval(() => other.write("pages"), 5);
    t.after(() => clearInterval(writing));
    await closed;
    const [near, far] = await Promise.all([pair.dial.ended, pair.accept.ended]);
    assert.match(near.reason + far.reason, new RegExp(`the ${victim}'s QEMU: `));
  });
}

test("stop() ends a pump, can be repeated, and leaves no socket behind", async (t) => {
  const { dial, accept, directory } = await openPair(t);
  await Promise.all([dial.stop(), dial.stop()]);
  await dial.stop();
  assert.equal(isAlive(dial.pid), false);
  assert.deepEqual(await dial.ended, { reason: "stopped by its agent" });
  assert.match((await accept.ended).reason, /the source's pump is gone/);
  assert.equal(existsSync(join(directory, "outgoing")), false);
});

test("a pump that stopped listening to its leash is killed", async (t) => {
  const { dial } = await openPair(t);
  process.kill(dial.pid, "SIGSTOP");
  await dial.stop();
  assert.equal(isAlive(dial.pid), false);
});

test("a signal to everybody leaves the pump to its agent", async (t) => {
  const { dial, accept, source, destination } = await openPair(t);
  for (const pump of [dial, accept]) {
    process.kill(pump.pid, "SIGINT");
    process.kill(pump.pid, "SIGTERM");
  }
  source.write("pages");
  assert.equal(String(await once(destination, "data")), "pages");
});

test("the key is in no argument and no environment", async (t) => {
  const { dial, accept } = await openPair(t);
  for (const { pid } of [dial, accept]) {
    const seen = ["cmdline", "environ"].map((file) => readFileSync(`/proc/${pid}/${file}`, "utf8"));
    assert.ok(seen[0]?.includes(MIGRATION.migrationId), "ps tells whose pump it is");
    assert.ok(!seen.join().includes(MIGRATION.key));
  }
});

test("QEMU's socket is its owner's only, and is gone once QEMU is connected", async (t) => {
  const { outgoing, destination } = await openPumps(t);
  assert.equal(statSync(outgoing).mode & 0o777, 0o600);
  const source = connect(outgoing);
  t.after(() => source.destroy());
  source.write("pages");
  await once(destination, "data");
  assert.equal(existsSync(outgoing), false);
});

/** What QEMU sees when its stream breaks: the end of it, or an error. */
function broke(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.resume();
    socket.on("error", () => resolve());
    socket.on("end", () => resolve());
  });
}

test("a pump for whose pipes no descriptor is left is refused in words, and ends nobody", async (t) => {
  assert.equal(spawnSync("prlimit", [`--pid=${process.pid}`, "--nofile=256:"]).status, 0);
  const held: number[] = [];
  t.after(() => {
    for (const descriptor of held) closeSync(descriptor);
  });
  await new Promise(setImmediate); // what was closed before is given back by then
  const fill = () => {
    for (;;) held.push(openSync("/dev/null", "r"));
  };
  assert.throws(fill, { code: "EMFILE" });

  const starting = startTunnel({
    role: "accept",
    listen: { host: "127.0.0.1", ports: [0] },
    connectPath: "/nowhere",
    security: PLAINTEXT,
    ...MIGRATION,
  });

  await assert.rejects(starting, /the pump could not be started: .*EMFILE/);
});
