/*
 * Goal: what docs/controller.md says of proxies that speak HTTP/2 themselves: they answer an agent's pings
 * for a caller that is frozen, so that only heartbeats tell, and apart from that a guest moves through
 * them. Method: a real one between a controller and the agents.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connectHost, migrate } from "@ferry/client";
import { Cause } from "@ferry/contract";
import { TestGuest, tickerFolder, tickerSpec } from "../harness/guests.js";
import { Hosts } from "../harness/hosts.js";
import { Holder } from "./support/holder.js";
import { HttpProxy } from "./support/proxy.js";
import { Steps } from "./support/steps.js";

const HEARTBEAT_MS = 2_000;

let hosts: Hosts;
let proxy: HttpProxy;
/** Where the proxy listens for the source agent of host-1, and for the destination agent of host-2. */
let source: string;
let destination: string;
before(async () => {
  // A caller that is frozen and not proxied would be noticed within 4 s.
  const keepalive = { timeMs: 1_000, timeoutMs: 3_000 };
  hosts = await Hosts.start({ patient: true, keepalive, allowedPaths: [tickerFolder] });
  const [from, to] = hosts.pair;
  const host = hosts.network.ownAddress;
  [source, destination] = [`${host}:7701`, `${host}:7702`];
  proxy = await HttpProxy.start(hosts.dir, [
    { host, port: 7701, agent: from.client.source.address },
    { host, port: 7702, agent: to.client.destination.address },
  ]);
});
after(async () => {
  await proxy?.close();
  await hosts?.close();
});

test("a caller that freezes behind a proxy is noticed by its heartbeats, and by nothing else", async (t) => {
  const [mute, beating] = [await begun("mute"), await begun("beating")];
  const holder = new Holder();
  t.after(() => holder.end());
  holder.prepare(mute, {}, destination);
  holder.prepare(beating, { heartbeatIntervalMs: HEARTBEAT_MS }, destination);
  await holder.ready(mute);
  await holder.ready(beating);
  holder.freeze();

  const { cause } = await beating.arrivalIn("returned");
  assert.equal(Cause[cause], "HEARTBEAT");
  const { tethered } = await mute.arrivalIn("prepared");
  assert.equal(tethered, true);
  await mute.abandon(30_000);
  await Promise.all([mute.abort(), beating.abort()]);
});

test("the client library moves a guest through one, and the agents meet past it", async () => {
  const [from, to] = hosts.pair;
  const guestId = "proxied";
  const guest = await TestGuest.start(from, tickerSpec(guestId));
  const through = connectHost({ source, destination, plaintext: true });
  try {
    const run = migrate({ guestId, from: through, to: through, heartbeatMs: HEARTBEAT_MS });
    assert.equal((await run.result).verdict, "landed");
    await guest.livesAt(to);
  } finally {
    through.close();
  }
});

async function begun(guestId: string): Promise<Steps> {
  const [from, to] = hosts.pair;
  await TestGuest.start(from, tickerSpec(guestId));
  const steps = new Steps({ guestId, from, to });
  await steps.begin();
  return steps;
}
