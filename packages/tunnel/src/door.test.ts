/*
 * Goal: strangers can neither wait for ever at the door nor crowd it, and the one who was let in is never
 * shown out by it. Method: bare connections.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { Door } from "./door.js";

test("a connection that is not let in is closed after a while", async () => {
  const door = new Door(() => {}, 20);
  const port = await door.open("127.0.0.1", [0]);
  const stranger = connect(port).resume();
  await once(stranger, "close");
  await door.closeBehind("");
});

test("no more connections wait than the door has room for", async (t) => {
  let knocks = 0;
  const door = new Door(() => {
    knocks += 1;
  });
  const port = await door.open("127.0.0.1", [0]);
  let closed = 0;
  const crowd = Array.from({ length: 40 }, () => connect(port).resume());
  t.after(() => door.closeBehind(""));
  t.after(() => crowd.forEach((socket) => void socket.destroy()));
  await new Promise<void>((resolve) => {
    for (const socket of crowd) {
      socket.on("error", () => {});
      socket.once("close", () => {
        closed += 1;
        if (closed === 40 - 16) resolve();
      });
    }
  });
  assert.equal(knocks, 16);
});

test("behind the one who was let in everybody else is shown out, and its own end is told", async () => {
  const inside: Socket[] = [];
  const door = new Door((socket) => inside.push(socket), 500);
  const port = await door.open("127.0.0.1", [0]);
  const chosen = connect(port).resume();
  await once(chosen, "connect");
  const other = connect(port).resume();
  await once(other, "connect");
  while (inside.length < 2) await once(other, "ready").catch(() => {});
  const shownOut = once(other, "close");
  const gone = door.closeBehind(`${chosen.localAddress}:${chosen.localPort}`);
  await shownOut;
  inside.find((socket) => socket.remotePort === chosen.localPort)?.resume();
  chosen.end();
  await gone;
});
