/* Goal: an open path is proved by bytes, and a closed one is told apart from a slow one, within a bound. */
import assert from "node:assert/strict";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, test } from "node:test";
import { dialProbe, listenForProbe, type ProbeListener } from "./path-probe.js";

const TOKEN = "ab".repeat(32);
const open: (ProbeListener | Server)[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo; // it listens on TCP
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("whoever has the word gets through, and both sides know", async () => {
  const port = await freePort();
  const listener = await listenForProbe("127.0.0.1", port, TOKEN);
  open.push(listener);
  const result = await dialProbe("127.0.0.1", port, TOKEN);
  assert.ok("connectUs" in result, JSON.stringify(result));
  await listener.exchanged;
});

test("whoever has not is hung up on", async () => {
  const port = await freePort();
  open.push(await listenForProbe("127.0.0.1", port, TOKEN));
  const result = await dialProbe("127.0.0.1", port, "cd".repeat(32));
  assert.ok("blocked" in result);
  assert.match(result.blocked, /closed before everything|broke/);
});

test("a closed port says so at once", async () => {
  const result = await dialProbe("127.0.0.1", await freePort(), TOKEN);
  assert.deepEqual(result, { blocked: "connecting failed: ECONNREFUSED" });
});

test("somebody else behind the port is not taken for the destination", async () => {
  const other = createServer((socket) => {
    socket.on("error", () => {});
    socket.end("x".repeat(1_000));
  }).listen(0, "127.0.0.1");
  open.push(other);
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as AddressInfo;
  const result = await dialProbe("127.0.0.1", port, TOKEN);
  assert.ok("blocked" in result);
  assert.match(result.blocked, /something else answers/);
});

test("a port that somebody has is not shared with him", async () => {
  const port = await freePort();
  open.push(await listenForProbe("127.0.0.1", port, TOKEN));
  await assert.rejects(listenForProbe("127.0.0.1", port, TOKEN), { code: "EADDRINUSE" });
});
