/*
 * Goal: a link cut in a test is really cut, between the two hosts meant and no others. Method: a TCP
 * server on one host of a real network, and connections from another.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect as dial, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { makeNetwork, type Network, type Place } from "./network.js";
import { until } from "./until.js";

const LISTEN = `require("node:net").createServer((s) => s.pipe(s)).listen(7000, process.argv[1], () => console.log("listening"))`;

test("hosts reach each other, and the test reaches them", async (t) => {
  const network = networkOf(t);
  const one = network.add("one");
  await listen(t, network, one);
  assert.equal(await answer(one.address), "connected");
});

test("a dropped link passes nothing and tells nobody, until it is healed", async (t) => {
  const network = networkOf(t);
  if (network.kind === "loopback") return t.skip(network.reason);
  const one = network.add("one");
  await listen(t, network, one);
  network.drop(one, network.ownAddress);
  assert.equal(await answer(one.address), "silence");
  network.heal(one);
  assert.equal(await answer(one.address), "connected");
});

test("a reset link ends a connection that was open", async (t) => {
  const network = networkOf(t);
  if (network.kind === "loopback") return t.skip(network.reason);
  const [one, two] = [network.add("one"), network.add("two")];
  await listen(t, network, one);
  const socket = dial(7000, one.address);
  await once(socket, "connect");
  network.reset(one, two.address); // another's link: nothing happens to ours
  socket.write("hello");
  assert.equal(String((await once(socket, "data"))[0]), "hello");
  network.reset(one, network.ownAddress);
  assert.equal(await end(socket), "ECONNRESET");
});

function networkOf(t: TestContext): Network {
  const network = makeNetwork();
  t.after(() => network.remove());
  return network;
}

async function listen(t: TestContext, network: Network, place: Place): Promise<ChildProcess> {
  const argv = network.inside(place, [process.execPath, "-e", LISTEN, place.address]);
  const [program = "", ...args] = argv;
  const server = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  t.after(async () => {
    server.kill("SIGKILL");
    await once(server, "exit");
  });
  await once(server.stdout, "data");
  return server;
}

/** What somebody hears who dials there: a connection, or nothing for a while. */
async function answer(address: string): Promise<"connected" | "silence"> {
  const socket = dial(7000, address);
  socket.on("error", () => {});
  try {
    const connected = once(socket, "connect").then(() => "connected" as const);
    const silence = until<never>("silence", () => false, 300).catch(() => "silence" as const);
    return await Promise.race([connected, silence]);
  } finally {
    socket.destroy();
  }
}

/** How an open connection ends; something is written so that there is something to answer. */
async function end(socket: Socket): Promise<string> {
  const ended = once(socket, "error").then(([error]) => String((error as { code?: string }).code));
  socket.once("error", () => {});
  socket.write("x");
  return ended;
}
