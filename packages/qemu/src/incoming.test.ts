import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { QmpError } from "@ferry/qmp";
import { toUri } from "./endpoint.js";
import { lookIncoming, openIncoming, PortTaken } from "./incoming.js";
import { testHost, until } from "./test-host.js";
import {
  capabilitiesOf,
  freePort,
  listenUnix,
  migrationPair,
  startOutgoing,
} from "./test-migration.js";

test("a port that somebody has is told apart, and the next one is taken", async (t) => {
  const host = await testHost(t);
  const { destination } = await migrationPair(host);
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  t.after(() => other.close());
  const { port } = other.address() as { port: number }; // it listens on a port
  const listening = { kind: "tcp", host: "127.0.0.1" } as const;

  await assert.rejects(openIncoming(destination, { ...listening, port }), PortTaken);
  await openIncoming(destination, { ...listening, port: await freePort() });

  assert.equal(await lookIncoming(destination), "waiting");
});

test("an address that is not this machine's is no taken port", async (t) => {
  const host = await testHost(t);
  const { destination } = await migrationPair(host);
  const nobody = { kind: "tcp", host: "192.0.2.1", port: await freePort() } as const;

  await assert.rejects(openIncoming(destination, nobody), (error: Error) => {
    assert.ok(error instanceof QmpError && !(error instanceof PortTaken));
    return true;
  });
});

test("a source that dies in the middle leaves nothing loaded, and it is told", async (t) => {
  const host = await testHost(t);
  const pair = await migrationPair(host);
  const to = await listenUnix(host, pair);
  await startOutgoing(pair.source, { to, bandwidthBytesPerSecond: 20_000, downtimeLimitMs: 1 });
  await until(async () => {
    const answer = (await pair.destination.execute("query-migrate")) as { status?: string };
    return answer.status === "active";
  }, "it receives");

  await pair.sourceKeeper.kill();

  // An older QEMU exits, a newer one says `failed`: either is told.
  let death = "";
  void pair.destinationKeeper.reaped.then(({ summary }) => {
    death = summary;
  });
  await until(
    () => death !== "" || pair.received.some(({ kind }) => kind === "failed"),
    "it is told",
  );
  assert.ok(!pair.received.some(({ kind }) => kind === "loaded"));
});

test("addresses are written as QEMU reads them", () => {
  assert.equal(toUri({ kind: "tcp", host: "::", port: 1 }), "tcp:[::]:1");
  assert.equal(toUri({ kind: "tcp", host: "[fe80::1]", port: 2 }), "tcp:[fe80::1]:2");
  assert.equal(toUri({ kind: "tcp", host: "host.example", port: 3 }), "tcp:host.example:3");
  assert.equal(toUri({ kind: "unix", path: "/run/x" }), "unix:/run/x");
});

test("a guest is received with what is wanted switched on, and nothing else", async (t) => {
  const host = await testHost(t);
  const { destination } = await migrationPair(host);

  await openIncoming(destination, { kind: "tcp", host: "127.0.0.1", port: await freePort() });

  const on = await capabilitiesOf(destination);
  assert.deepEqual(on, ["events", "late-block-activate", "return-path"]);
});
