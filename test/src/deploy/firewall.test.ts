/*
 * Goal: deploy/nftables keeps strangers out, lets hosts in, and gets in the way of nothing that a host
 * begins itself, from whatever port. Method: nft reads the file, and then it is in force on one host of
 * a real network, with another host in its set and the test as a stranger.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeNetwork, type Network, type Place, whyNoNamespaces } from "../harness/network.js";
import { until } from "../harness/until.js";

const RULES = fileURLToPath(new URL("../../../deploy/nftables/ferry.nft", import.meta.url));
const PORTS = [7701, 7702, 7711, 9701, 49152];

test("nft takes it", () => {
  const done = spawnSync("nft", ["--check", "--file", RULES], { encoding: "utf8" });
  assert.equal(done.error, undefined);
  assert.equal(done.status, 0, done.stderr);
});

test("a host reaches agents and memory, a stranger neither", {
  skip: whyNoNamespaces() || false,
}, async (t) => {
  const { network, guarded, other } = await underFire(t);
  await runs(
    t,
    network,
    guarded,
    `const { createServer } = require("node:net");
    Promise.all(${JSON.stringify(PORTS)}.map((port) => new Promise((r) => createServer().listen(port, "0.0.0.0", r))))
      .then(() => console.log("listening"));`,
  );

  for (const port of [7701, 7702, 49152]) {
    await runs(t, network, other, dialling(guarded.address, port));
  }
  for (const port of PORTS) {
    const before = dropped(network, guarded);
    const socket = connect(port, guarded.address);
    t.after(() => socket.destroy());
    let connected = false;
    socket.on("connect", () => {
      connected = true;
    });
    socket.on("error", () => {});
    await until(`${port} is dropped`, () => connected || dropped(network, guarded) > before);
    assert.equal(connected, false, `a stranger reached ${port}`);
    socket.destroy();
  }
});

test("a host's own connections pass, from a port of the range too", {
  skip: whyNoNamespaces() || false,
}, async (t) => {
  const { network, guarded } = await underFire(t);
  const server = createServer().listen(0, network.ownAddress);
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  await runs(t, network, guarded, dialling(network.ownAddress, port, 49160));
});

const dialling = (host: string, port: number, localPort = 0) =>
  `require("node:net").connect({ host: "${host}", port: ${port}, localPort: ${localPort} })
    .on("connect", () => { console.log("connected"); process.exit(); })`;

/** Two hosts, one of which the rules guard; the other is in their set of hosts, and nobody else is. */
async function underFire(
  t: TestContext,
): Promise<{ network: Network; guarded: Place; other: Place }> {
  const network = makeNetwork();
  t.after(() => network.remove());
  const [guarded, other] = [network.add("guarded"), network.add("other")];
  const rules = readFileSync(RULES, "utf8").replace("10.0.0.0/24", other.address);
  assert.ok(rules.includes(other.address));
  const [program = "", ...args] = network.inside(guarded, ["nft", "--file", "-"]);
  const done = spawnSync(program, args, { input: rules, encoding: "utf8" });
  assert.equal(done.status, 0, done.stderr);
  return { network, guarded, other };
}

/** Runs a script on a host until it says something. */
async function runs(t: TestContext, network: Network, place: Place, script: string): Promise<void> {
  const [program = "", ...args] = network.inside(place, [process.execPath, "-e", script]);
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  t.after(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  let said = "";
  child.stdout.on("data", (data) => {
    said += data;
  });
  await until(`${place.name} says that it is connected, or listens`, () => said !== "", 20_000);
}

/** Packets that the last rule has dropped. */
function dropped(network: Network, place: Place): number {
  const argv = ["nft", "list", "chain", "inet", "ferry", "input"];
  const [program = "", ...args] = network.inside(place, argv);
  const { stdout } = spawnSync(program, args, { encoding: "utf8" });
  return Number(/counter packets (\d+)/.exec(stdout)?.[1]);
}
