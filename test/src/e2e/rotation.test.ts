/*
 * Goal: a CA is replaced on running hosts, and no guest notices: a tether that was open stays tied, a copy that was
 * under way lands, and whatever connects afterwards does so with the new certificates, the old ones being worth
 * nothing. Method: two real hosts with certificates, one guest that is prepared and held, one whose copy crawls, and
 * the three steps of docs/security.md, each done on every host before the next.
 */
import assert from "node:assert/strict";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { guestRunDirectory } from "@ferry/agent-kit";
import { connectHost, getInfo } from "@ferry/client";
import { connect } from "@ferry/qmp";
import {
  makeAuthority,
  type TestAuthority,
  type TestPems,
} from "@ferry/tether/certificates-for-tests";
import { TestGuest } from "../harness/guests.js";
import type { TestHost } from "../harness/hosts.js";
import { move } from "../harness/move.js";
import { until } from "../harness/until.js";
import { type Bench, openBench } from "./support/bench-hosts.js";
import { NARROW, stagedSpec } from "./support/staging.js";
import { Steps } from "./support/steps.js";

const UNLIMITED = 2 ** 40;
const ROLES = ["source", "destination"] as const;
/** Agents, on two hosts. */
const ALL = 4;

let bench: Bench;
before(async () => {
  bench = await openBench({ security: "mtls" });
});
after(() => bench?.close());

const file = (...names: string[]) => join(bench.hosts.certificatesDir, ...names);
const read = (...names: string[]) => readFileSync(file(...names), "utf8");

/** As cert-manager does: nobody ever reads half of it. */
function replace(host: TestHost, name: string, text: string): void {
  writeFileSync(file(host.name, `${name}.new`), text);
  renameSync(file(host.name, `${name}.new`), file(host.name, name));
}

/** A controller that trusts `ca` and shows that certificate, on connections of its own. */
function controller(host: TestHost, ca: string, shown: TestPems): TestHost {
  const { source, destination } = host.client;
  const tls = { ca, ...shown };
  const addresses = { source: source.address, destination: destination.address };
  return { ...host, client: connectHost({ ...addresses, hostId: host.name, tls }) };
}

/** How many of the four agents let that controller in, on a new connection. */
async function letIn(ca: string, shown: TestPems): Promise<number> {
  const answers = bench.hosts.pair.map(async (host) => {
    const { client } = controller(host, ca, shown);
    const asked = ROLES.map((role) => getInfo(client[role], { timeoutMs: 20_000 }));
    const answered = await Promise.allSettled(asked);
    client.close();
    return answered.filter(({ status }) => status === "fulfilled").length;
  });
  return (await Promise.all(answers)).reduce((sum, each) => sum + each, 0);
}

/** Who signed the certificate that an agent shows to a new connection. */
function signerOf(address: string): Promise<string> {
  const [host = "", port = ""] = address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host,
      port: Number(port),
      ALPNProtocols: ["h2"],
      rejectUnauthorized: false, // it is only looked at
    });
    socket.on("error", reject);
    socket.once("secureConnect", () => {
      resolve(String(socket.getPeerCertificate().issuer.CN));
      socket.destroy();
    });
  });
}

test("a CA is replaced under a tether and a copy: neither is cut, the guest lands, and then only the new one counts", async () => {
  const [one, two] = bench.hosts.pair;
  const hosts = bench.hosts.pair;
  const old: TestAuthority = makeAuthority("Ferry CA", read("ca.key"));
  const next = makeAuthority("Next CA");
  const [oldCa, nextCa] = [read("ca.crt"), next.ca];
  const both = `${oldCa}${nextCa}`;
  const name = { uris: ["ferry://controller/c"] };
  const [before, now] = [old.issue(name), next.issue(name)];

  const held = await TestGuest.start(one, stagedSpec("held"));
  const holding = new Steps({ guestId: "held", from: one, to: two });
  await holding.begin();
  const tether = bench.keep(holding.prepare());
  await tether.ready();

  const leaving = await TestGuest.start(one, stagedSpec("leaving"));
  const moving = new Steps({ guestId: "leaving", from: one, to: two });
  await moving.begin();
  const movingTether = bench.keep(moving.prepare());
  await movingTether.ready();
  const view = moving.perform({ bandwidthBytesPerSecond: NARROW });
  await view.bound();
  await moving.arrivalIn("receiving");

  /** Nobody has noticed: by the callers' streams, by what both agents say, and by the guests themselves. */
  const unharmed = async (when: string) => {
    assert.equal(tether.over && (await tether.ended), false, `the tether was cut ${when}`);
    assert.equal(movingTether.over && (await movingTether.ended), false, `and the other ${when}`);
    assert.equal((await holding.arrivalIn("prepared")).tethered, true);
    const arrival = await moving.arrivalIn("receiving");
    assert.deepEqual([arrival.tethered, arrival.reason], [true, ""]);
    await moving.departureIn("performing");
    await Promise.all([held.ticksOn(1), leaving.ticksOn(1)]);
  };
  assert.equal(await letIn(both, now), 0);

  for (const host of hosts) replace(host, "ca.crt", both);
  await until("both CAs to be trusted by all agents", async () => (await letIn(both, now)) === ALL);
  assert.equal(await letIn(both, before), ALL);
  await unharmed("while both are trusted");

  for (const host of hosts) {
    const { cert, key } = next.issue({ uris: [`ferry://agent/${host.name}`] });
    replace(host, "host.key", key);
    replace(host, "host.crt", cert);
  }
  const addresses = hosts.flatMap(({ client }) => ROLES.map((role) => client[role].address));
  await until("all agents to show certificates of the new CA", async () => {
    const signers = await Promise.all(addresses.map(signerOf));
    return signers.every((signer) => signer === "Next CA");
  });
  await unharmed("with certificates of the new one");

  for (const host of hosts) replace(host, "ca.crt", nextCa);
  await until("the old CA to be worth nothing", async () => (await letIn(both, before)) === 0);
  await until("and the new one everything", async () => (await letIn(nextCa, now)) === ALL);
  await unharmed("after the old one is gone");

  // The copy that began under the old CA ends under the new one.
  const [from, to] = [controller(one, nextCa, now), controller(two, nextCa, now)];
  for (const { client } of [from, to]) bench.keep(client);
  const monitor = await connect(join(guestRunDirectory(one.runDir, "leaving"), "debug.qmp"), {
    timeoutMs: 20_000,
  });
  await monitor.execute("migrate-set-parameters", { "max-bandwidth": UNLIMITED });
  monitor.close();
  const { migrationId } = moving;
  // Whoever began it may end it, on the connections that it has.
  await moving.land(60_000);
  const known = new Steps({ guestId: "leaving", from, to, migrationId });
  await known.departureIn("departed");
  await leaving.livesAt(to);
  await leaving.ticksOn();

  // The tether that was tied under the old one carries its guest over a Meet of the new one.
  const { migrationId: heldId } = holding;
  const late = new Steps({ guestId: "held", from, to, migrationId: heldId });
  await late.perform().bound();
  await late.land(60_000);
  await late.departureIn("departed");
  await held.livesAt(to);
  await held.ticksOn();

  // And a guest moves back through a tunnel, of which every connection is new.
  const transport = "tunnel" as const;
  assert.equal((await move("held", to, from, { transport })).verdict, "landed");
  await held.livesAt(from);
  await held.ticksOn();
});
