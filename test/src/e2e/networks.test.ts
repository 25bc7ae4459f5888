/*
 * Goal: guests' memory travels on the network it should, over IPv6 as over IPv4, and an operator can
 * change which one that is without a restart. Method: real agents and QEMUs in network namespaces; what
 * QEMU listens on is what the kernel says.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { Transport } from "@ferry/client";
import { TestGuest, tickerFolder, tickerSpec } from "../harness/guests.js";
import { Hosts, type TestHost } from "../harness/hosts.js";
import { metricOf } from "../harness/metrics.js";
import { move } from "../harness/move.js";
import { whyNoNamespaces } from "../harness/network.js";
import { until } from "../harness/until.js";
import { stagedSpec } from "./support/staging.js";
import { Steps } from "./support/steps.js";

const skip = whyNoNamespaces() || false;
const TRANSPORTS: Transport[] = ["direct", "tunnel"];

describe("hosts that have only IPv6", { skip }, () => {
  let hosts: Hosts;
  before(async () => {
    const allowedPaths = [tickerFolder];
    hosts = await Hosts.start({ patient: true, family: "ipv6", security: "mtls", allowedPaths });
  });
  after(() => hosts?.close());

  for (const transport of TRANSPORTS) {
    test(`move a guest there and back over ${transport}`, async () => {
      const [one, two] = hosts.pair;
      const guest = await TestGuest.start(one, tickerSpec(transport, { ram: 8, dirty: 8 }));
      await guest.ticksOn();
      for (const [from, to] of [
        [one, two],
        [two, one],
      ] as const) {
        const outcome = await move(transport, from, to, { transport });
        assert.equal(outcome.verdict, "landed", JSON.stringify(outcome.why));
        await guest.livesAt(to);
        await guest.memoryIsWhole();
      }
      await one.client.guests.stop(transport, { graceMs: 0 });
    });
  }
});

describe("a destination with several networks", { skip }, () => {
  const PORT = 49_177;
  let hosts: Hosts;
  let guest: TestGuest;
  before(async () => {
    hosts = await Hosts.start({
      patient: true,
      allowedPaths: [tickerFolder],
      config: {
        migration: {
          listen_host: "::",
          advertise_host: null,
          port_first: PORT,
          port_last: PORT,
          networks: {
            loop: { listen_host: "::1" },
            wire: { interface: "eth0" },
            gone: { interface: "eth9" },
          },
        },
      },
    });
    guest = await TestGuest.start(hosts.pair[0], stagedSpec("chooser"));
  });
  after(() => hosts?.close());

  /** Prepares on that network and gives what its QEMU listens on. */
  async function listensOn(network: string): Promise<string> {
    const [from, to] = hosts.pair;
    const steps = new Steps({ guestId: "chooser", from, to });
    await steps.begin();
    const tether = steps.prepare({ network });
    await tether.ready();
    const address = listening(hosts, to, PORT);
    tether.cancel();
    await steps.arrivalIn("returned");
    await steps.abort();
    return address;
  }

  test("a migration arrives on the one its caller names", async () => {
    const { address } = hosts.pair[1];
    assert.match(await listensOn(""), /^(\*|\[::\])$/);
    assert.equal(await listensOn("loop"), "[::1]");
    assert.equal(await listensOn("wire"), address);
    assert.equal(await listensOn(address), address);
  });

  test("one that it does not have, or whose interface is gone, is refused with those it has", async () => {
    const [from, to] = hosts.pair;
    for (const [network, reason] of [
      ["nowhere", "NETWORK_UNKNOWN"],
      ["192.0.2.77", "NETWORK_UNKNOWN"],
      ["gone", "NETWORK_DOWN"],
    ] as const) {
      const steps = new Steps({ guestId: "chooser", from, to });
      await steps.begin();
      const fault = await steps.prepare({ network }).fault();
      assert.equal(fault?.reason, "HOST_UNFIT");
      assert.deepEqual(
        fault.blockers.map((each) => each.reason),
        [reason],
      );
      await steps.abort();
    }
    const long = new Steps({ guestId: "chooser", from, to });
    await long.begin();
    assert.equal(
      (await long.prepare({ network: "x".repeat(65) }).fault())?.reason,
      "INVALID_REQUEST",
    );
    await long.abort();
    await guest.ticksOn();
  });

  test("a dual-stack default takes a source that came over IPv4", async () => {
    const [one, two] = hosts.pair;
    const wanderer = await TestGuest.start(one, stagedSpec("wanderer"));
    const outcome = await move("wanderer", one, two);
    assert.equal(outcome.verdict, "landed", JSON.stringify(outcome.why));
    await wanderer.livesAt(two);
    await wanderer.ticksOn();
  });

  test("the network is changed without a restart; a file that cannot be used changes nothing", async () => {
    const [, to] = hosts.pair;
    const { configPath } = to.destination.options;
    const file = JSON.parse(readFileSync(configPath, "utf8"));
    const write = (migration: object) => {
      writeFileSync(
        configPath,
        JSON.stringify({ ...file, migration: { ...file.migration, ...migration } }),
      );
      to.destination.hangUp();
    };
    write({ interface: "eth0" });
    await until(
      "the new network to be in force",
      async () => (await good(to)) && said(to, "migration.interface"),
    );
    assert.equal(await listensOn(""), to.address);
    write({ interface: "eth0 or so" });
    await until("the bad file to be complained about", async () => !(await good(to)));
    assert.equal(await listensOn(""), to.address);
    write({});
    await until("the mended file to be in force", () => good(to));
    assert.match(await listensOn(""), /^(\*|\[::\])$/);
  });
});

async function good(host: TestHost): Promise<boolean> {
  return (await metricOf(host, "destination", "ferry_file_refused", { file: "config" })) === 0;
}

function said(host: TestHost, key: string): boolean {
  return host.destination.log().some(({ taken }) => Array.isArray(taken) && taken.includes(key));
}

/** The local address of the socket that listens on that port of that host, as `ss` tells it. */
function listening(hosts: Hosts, host: TestHost, port: number): string {
  const [program = "", ...args] = hosts.network.inside(host, ["ss", "-Hltn", `sport = :${port}`]);
  const { stdout } = spawnSync(program, args, { encoding: "utf8" });
  const local = stdout.trim().split(/\s+/)[3] ?? "";
  return local.slice(0, local.lastIndexOf(":"));
}
