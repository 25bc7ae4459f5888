/*
 * Goal: the tunnel is as good as a wire between two QEMUs: every byte, both ways at once, each end passed
 * on by itself, and no faster than the slower one. Method: real pumps, real sockets, large streams.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import { authority, openPair, peakMebibytes, temporaryDirectory } from "./fixture.js";

const MEBIBYTE = 1024 * 1024;
/** What one pump may take on a host that has guests to run. */
const PUMP_MEBIBYTES_MAX = 160;

test("96 MiB each way at once arrive as they were sent, over mutual TLS, within a pump's memory", async (t) => {
  const ca = authority(temporaryDirectory(t));
  const { source, destination, accept, dial } = await openPair(t, [
    ca.security("here", "there"),
    ca.security("there", "here"),
  ]);
  const there = readAll(destination);
  const back = readAll(source);
  const [sentThere, sentBack] = await Promise.all([
    writeRandom(source, 96),
    writeRandom(destination, 96),
  ]);
  const peaks = [peakMebibytes(dial.pid), peakMebibytes(accept.pid)];
  source.end();
  destination.end();

  assert.equal(await there, sentThere);
  assert.equal(await back, sentBack);
  for (const peak of peaks) assert.ok(peak < PUMP_MEBIBYTES_MAX, `a pump took ${peak} MiB`);
  const reason = "both QEMUs ended their streams";
  assert.deepEqual(await dial.ended, { reason });
  assert.deepEqual(await accept.ended, { reason });
});

test("after the source's stream ended, the return path goes on", async (t) => {
  const { source, destination } = await openPair(t);
  const there = readAll(destination);
  const sent = await writeRandom(source, 2);
  source.end();
  assert.equal(await there, sent);

  const back = readAll(source);
  const answered = await writeRandom(destination, 2);
  destination.end();
  assert.equal(await back, answered);
});

test("after the return path ended, the source's stream goes on", async (t) => {
  const { source, destination } = await openPair(t);
  const back = readAll(source);
  const answered = await writeRandom(destination, 2);
  destination.end();
  assert.equal(await back, answered);

  const there = readAll(destination);
  const sent = await writeRandom(source, 2);
  source.end();
  assert.equal(await there, sent);
});

test("a destination that does not read stops the source, and leaves the return path free", async (t) => {
  const { source, destination, accept, dial } = await openPair(t);
  const total = 192 * MEBIBYTE;
  const piece = Buffer.alloc(64 * 1024, 1);
  const feeding = feed(source, piece, total);
  // A byte that comes back is a turn of both pumps' loops: a clock that does not depend on the machine.
  const heldBack = () => source.bytesWritten - source.writableLength;
  let turnsWithoutProgress = 0;
  for (let before = -1; turnsWithoutProgress < 200 && heldBack() < total; before = heldBack()) {
    turnsWithoutProgress = heldBack() === before ? turnsWithoutProgress + 1 : 0;
    destination.write("x");
    await once(source, "data");
  }
  assert.ok(heldBack() < 24 * MEBIBYTE, `${heldBack()} bytes were taken and not read`);

  let received = 0;
  destination.on("data", (bytes: Buffer) => {
    received += bytes.length;
  });
  await feeding;
  source.end();
  await once(destination, "end");
  assert.equal(received, total);
  for (const pump of [accept, dial]) {
    assert.ok(peakMebibytes(pump.pid) < PUMP_MEBIBYTES_MAX);
  }
});

test("a source that does not read its return path stops the destination", async (t) => {
  const { source, destination } = await openPair(t);
  const total = 192 * MEBIBYTE;
  void feed(destination, Buffer.alloc(64 * 1024, 1), total).catch(() => {});
  const taken = () => destination.bytesWritten - destination.writableLength;
  let turnsWithoutProgress = 0;
  for (let before = -1; turnsWithoutProgress < 200 && taken() < total; before = taken()) {
    turnsWithoutProgress = taken() === before ? turnsWithoutProgress + 1 : 0;
    source.write("x");
    await once(destination, "data");
  }
  assert.ok(taken() < 24 * MEBIBYTE, `${taken()} bytes were taken and not read`);
});

/** The hash of all that comes until the end of the stream. */
async function readAll(socket: Socket): Promise<string> {
  const hash = createHash("sha256");
  for await (const bytes of socket.iterator({ destroyOnReturn: false })) hash.update(bytes);
  return hash.digest("hex");
}

/** Writes random bytes and returns their hash. */
async function writeRandom(socket: Socket, mebibytes: number): Promise<string> {
  const hash = createHash("sha256");
  for (let sent = 0; sent < mebibytes; sent += 1) {
    const bytes = randomBytes(MEBIBYTE);
    hash.update(bytes);
    if (!socket.write(bytes)) await once(socket, "drain");
  }
  return hash.digest("hex");
}

async function feed(socket: Socket, piece: Buffer, total: number): Promise<void> {
  for (let sent = 0; sent < total; sent += piece.length) {
    if (!socket.write(piece)) await once(socket, "drain");
  }
}
