/* Goal: a guest's memory arrives where its caller meant and the configuration allows, or nowhere. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "@ferry/agent-kit";
import { chooseAddress, hostInterfaces, type Interfaces, placeFor } from "./networks.js";

const interfaces = {
  lo: [address("127.0.0.1"), address("::1")],
  eth0: [address("fe80::1"), address("10.0.0.5"), address("fd00::5")],
  eth1: [address("fd00:1::5")],
  eth2: [address("fe80::2")],
} as unknown as Interfaces; // what is read of them is there

function address(text: string) {
  return { address: text, family: text.includes(":") ? "IPv6" : "IPv4" };
}

function migration(yaml: string) {
  return parseConfig(`host_id: a\nmigration: ${yaml}`, "destination").migration;
}

function place(asked: string, yaml: string) {
  return placeFor(asked, migration(yaml), () => interfaces);
}

const NETWORKS = `{networks: {storage: {interface: eth0, prefer: ipv6}, far: {listen_host: 192.0.2.1, advertise_host: far.example}}}`;

test("by default every address is listened on, and the one that was dialled is told", () => {
  const expected = { network: "default", listenHost: "0.0.0.0", advertiseHost: "" };
  assert.deepEqual(place("", "{}"), expected);
  assert.deepEqual(place("default", "{}"), expected);
  assert.deepEqual(place("", "{listen_host: '[::]'}"), { ...expected, listenHost: "::" });
});

test("interfaces are asked for only where one is named, and a want of descriptors is called that", () => {
  // What Node 20 throws then, measured.
  const short = Object.assign(
    new Error("uv_interface_addresses returned Unknown system error 24"),
    {
      code: "ERR_SYSTEM_ERROR",
      errno: 24,
      syscall: "uv_interface_addresses",
    },
  );
  const ask = () =>
    hostInterfaces(() => {
      throw short;
    });
  assert.ok("listenHost" in placeFor("", migration("{listen_host: 10.0.0.5}"), ask));
  assert.throws(() => placeFor("storage", migration(NETWORKS), ask), {
    code: "EMFILE",
    syscall: "uv_interface_addresses",
    message: /interfaces cannot be read \(EMFILE\)/,
  });
});

test("one address that is listened on is told, unless another is to be", () => {
  const one = { network: "default", listenHost: "10.0.0.5", advertiseHost: "10.0.0.5" };
  assert.deepEqual(place("", "{listen_host: 10.0.0.5}"), one);
  assert.deepEqual(place("", "{listen_host: 10.0.0.5, advertise_host: '[fd00::9]'}"), {
    ...one,
    advertiseHost: "fd00::9",
  });
});

test("an interface stands for the address it has just now, of the preferred family", () => {
  const of = (yaml: string) => {
    const found = place("", yaml);
    return "reason" in found ? found.reason : found.listenHost;
  };
  assert.equal(of("{interface: eth0}"), "10.0.0.5");
  assert.equal(of("{interface: eth0, prefer: ipv6}"), "fd00::5");
  assert.equal(of("{interface: eth1, prefer: ipv4}"), "fd00:1::5");
  assert.equal(of("{interface: eth2}"), "NETWORK_DOWN");
  assert.equal(of("{interface: eth7}"), "NETWORK_DOWN");
});

test("a caller may choose a network by its name, or by the address it listens on", () => {
  const storage = { network: "storage", listenHost: "fd00::5", advertiseHost: "fd00::5" };
  assert.deepEqual(place("storage", NETWORKS), storage);
  assert.deepEqual(place("fd00:0:0::5", NETWORKS), storage);
  assert.deepEqual(place("192.0.2.1", NETWORKS), {
    network: "far",
    listenHost: "192.0.2.1",
    advertiseHost: "far.example",
  });
});

test("any other is refused, and those there are are named", () => {
  for (const asked of [
    "nowhere",
    "10.0.0.6",
    "eth0",
    "far.example",
    "constructor",
    "x".repeat(500),
  ]) {
    const refused = place(asked, NETWORKS);
    assert.ok("reason" in refused, asked);
    assert.equal(refused.reason, "NETWORK_UNKNOWN");
    assert.match(refused.description, /default \(0\.0\.0\.0\), storage \(fd00::5\), far/);
  }
});

test("link-local addresses are never chosen", () => {
  assert.equal(chooseAddress([address("fe80::1"), address("febf::1")] as never, "ipv6"), undefined);
});
