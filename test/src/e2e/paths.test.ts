/*
 * Goal: `ferry check` proves that memory could travel, or says why not, in bounded time, and disturbs
 * nobody: neither a QEMU that waits for its guest nor the range of ports. Method: real hosts, and real
 * firewalls between them.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { check } from "@ferry/client";
import { Verdict } from "@ferry/contract";
import { TestGuest, tickerFolder } from "../harness/guests.js";
import { Hosts } from "../harness/hosts.js";
import { whyNoNamespaces } from "../harness/network.js";
import { until } from "../harness/until.js";
import { stagedSpec } from "./support/staging.js";
import { Steps } from "./support/steps.js";

const PORTS = { port_first: 49_201, port_last: 49_204 };
const RANGE = `tcp dport ${PORTS.port_first}-${PORTS.port_last}`;

describe("the way between two hosts", { skip: whyNoNamespaces() || false }, () => {
  let hosts: Hosts;
  let guest: TestGuest;
  before(async () => {
    hosts = await Hosts.start({
      patient: true,
      security: "mtls",
      allowedPaths: [tickerFolder],
      config: { migration: PORTS },
    });
    guest = await TestGuest.start(hosts.pair[0], stagedSpec("asker"));
  });
  after(() => hosts?.close());
  afterEach(() => hosts.network.heal(hosts.pair[1]));

  function ask(options: { network?: string } = {}) {
    const [from, to] = hosts.pair;
    return check({ guestId: "asker", from: from.client, to: to.client, ...options });
  }

  /** The one thing that stands in the way. */
  async function obstacle(options: { network?: string } = {}) {
    const { path } = await ask(options);
    assert.equal(path?.blockers.length, 1, JSON.stringify(path));
    return path.blockers[0];
  }

  test("that is open is proved by bytes, again and again", async () => {
    const [, to] = hosts.pair;
    for (let times = 0; times < 5; times += 1) {
      const { source, destination, path } = await ask();
      assert.deepEqual([source, destination, path?.blockers], [[], [], []]);
      assert.match(path?.address ?? "", new RegExp(`^${to.address}:4920[1-4]$`));
    }
  });

  test("whose ports a firewall drops is a blocker with address and errno", async () => {
    const [, to] = hosts.pair;
    hosts.network.firewall(to, `${RANGE} drop`);
    const blocker = await obstacle();
    assert.equal(blocker?.reason, "PATH_BLOCKED");
    assert.match(blocker.subject, new RegExp(`^${to.address}:4920[1-4]$`));
    assert.match(blocker.description, /ETIMEDOUT.*firewall/);
  });

  test("whose ports a firewall rejects says so", async () => {
    hosts.network.firewall(hosts.pair[1], `${RANGE} reject with tcp reset`);
    const blocker = await obstacle();
    assert.equal(blocker?.reason, "PATH_BLOCKED");
    assert.match(blocker.description, /ECONNREFUSED|ECONNRESET/);
  });

  test("that swallows large packets hints at the MTU", async () => {
    hosts.network.firewall(hosts.pair[1], `${RANGE} meta length > 1000 drop`);
    const blocker = await obstacle();
    assert.equal(blocker?.reason, "PATH_BLOCKED");
    assert.match(blocker.description, /MTU.*eth0 has [0-9]+$/);
  });

  test("whose agent's port is closed to the source is another blocker", async () => {
    const [from, to] = hosts.pair;
    hosts.network.firewall(to, `ip saddr ${from.address} tcp dport 7702 drop`);
    const blocker = await obstacle();
    assert.equal(blocker?.reason, "PEER_UNREACHABLE");
    assert.match(blocker.description, /7702/);
  });

  test("to a network that is not there lists what is", async () => {
    const { destination, path } = await ask({ network: "nowhere" });
    assert.equal(destination[0]?.reason, "NETWORK_UNKNOWN");
    assert.equal(path?.blockers[0]?.reason, "NETWORK_UNKNOWN");
  });

  test("is tried on another port than the one on which a QEMU waits, which is not disturbed", async () => {
    const [from, to] = hosts.pair;
    const steps = new Steps({ guestId: "asker", from, to });
    await steps.begin();
    const tether = steps.prepare();
    await tether.ready();
    const other = await TestGuest.start(from, stagedSpec("other"));
    for (let times = 0; times < 3; times += 1) {
      const { path } = await check({ guestId: "other", from: from.client, to: to.client });
      assert.deepEqual(path?.blockers, []);
    }
    const view = steps.perform();
    await view.bound();
    assert.equal(Verdict[(await steps.land(30_000)).verdict], "LANDED");
    await guest.livesAt(to);
    await guest.ticksOn();
    await other.ticksOn();
  });

  test("gives its ports back", async () => {
    const [, to] = hosts.pair;
    const wait = until("all ports to be free", async () => {
      const { path } = await check({ guestId: "other", from: hosts.pair[0].client, to: to.client });
      return path?.address.endsWith(`:${PORTS.port_first}`);
    });
    await wait;
  });
});
