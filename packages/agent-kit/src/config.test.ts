import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isMap, isScalar, parseDocument } from "yaml";
import { splitAddress } from "./config.js";
import { loadConfig, parseConfig } from "./config-file.js";
import { ConfigError } from "./yaml-file.js";

const EXAMPLE = new URL("../../../docs/agent.example.yaml", import.meta.url);

test("guests' cgroups are listed, or are a folder in every hierarchy that is there", () => {
  assert.deepEqual(parseConfig("qemu: { cgroups: [/a/b] }", "source").qemu.cgroups, ["/a/b"]);
  assert.throws(() => parseConfig("qemu: { cgroups: all }", "source"), /qemu\.cgroups/);
});

test("the example's values are the defaults, for both agents", () => {
  const example = readFileSync(EXAMPLE, "utf8");
  for (const role of ["source", "destination"] as const) {
    assert.deepEqual(parseConfig(example, role), parseConfig("", role));
  }
});

test("the example has every key, and a comment above each", () => {
  const example = readFileSync(EXAMPLE, "utf8");
  const lines = example.split("\n");
  const shown: string[] = [];
  const visit = (node: unknown, path: string): void => {
    if (!isMap(node)) return;
    for (const { key, value } of node.items) {
      assert.ok(isScalar(key));
      const name = `${path}${String(key.value)}`;
      const line = example.slice(0, key.range?.[0]).split("\n").length;
      assert.match(lines[line - 2] ?? "", /^\s*#/, `${name} has no comment`);
      if (isMap(value)) visit(value, `${name}.`);
      else shown.push(name);
    }
  };
  visit(parseDocument(example).contents, "");
  assert.deepEqual(shown.sort(), keysOf(parseConfig("", "source")).sort());
});

/** The keys of a Config, spelt as in the file. */
function keysOf(value: object, path = ""): string[] {
  return Object.entries(value).flatMap(([name, each]) => {
    const key = `${path}${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
    const nested = typeof each === "object" && each !== null && !Array.isArray(each);
    return nested ? keysOf(each, `${key}.`) : [key];
  });
}

test("the two agents of a host listen on different ports by default", () => {
  const source = parseConfig("host_id: host-1", "source");
  const destination = parseConfig("host_id: host-1", "destination");
  assert.equal(source.listen, "0.0.0.0:7701");
  assert.equal(destination.listen, "0.0.0.0:7702");
  assert.notEqual(source.metricsListen, destination.metricsListen);
  assert.equal(source.hostId, "host-1");
});

test("without a host_id the machine's name is taken", () => {
  assert.match(parseConfig("", "source").hostId, /^[a-z0-9][a-z0-9.-]*$/);
});

test("an unknown key is an error that names the key, its line and its neighbours", () => {
  const text = "host_id: a\nlimits:\n  arrivals_max: 3\n  arrival_max: 4\nlog:\n  levle: info\n";
  assert.throws(
    () => parseConfig(text, "source", "agent.yaml"),
    (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(
        error.message,
        /^agent\.yaml:4: limits\.arrival_max is not a key.*arrivals_max/m,
      );
      assert.match(error.message, /^agent\.yaml:6: log\.levle is not a key.*level/m);
      return true;
    },
  );
});

const WRONG: readonly { readonly text: string; readonly message: RegExp }[] = [
  { text: "listen: 0.0.0.0", message: /:1: listen: "host:port" is wanted/ },
  { text: "listen: 0.0.0.0:70000", message: /:1: listen: "host:port" is wanted/ },
  { text: "\nhost_id: Host_1", message: /:2: host_id: 1 to 64 characters of a-z 0-9/ },
  { text: "state_dir: here", message: /:1: state_dir: an absolute path is wanted/ },
  { text: `run_dir: /${"x".repeat(80)}`, message: /:1: run_dir: at most \d+ bytes/ },
  {
    text: "keepalive:\n  time_ms: 1000\n  timeout_ms: 2999",
    message: /:3: keepalive\.timeout_ms: timeout_ms must be at least 3 × time_ms/,
  },
  { text: "keepalive:\n  time_ms: 99", message: /:2: keepalive\.time_ms: at least 100/ },
  {
    text: "keepalive:\n  time_ms: 100\n  timeout_ms: 299",
    message: /:3: keepalive\.timeout_ms: at least 300/,
  },
  {
    text: "migration:\n  port_first: 5000\n  port_last: 4000",
    message: /:3: migration\.port_last: port_last must not be below port_first/,
  },
  {
    text: "timeouts:\n  meet_stale_ms: 300",
    message: /:2: timeouts\.meet_stale_ms: .*2 × beat_ms/,
  },
  { text: "timeouts: {lease_ms: 9999999999}", message: /:1: timeouts\.lease_ms: / },
  { text: "limits:\n  arrivals_max: many", message: /:2: limits\.arrivals_max: / },
  { text: "log: {level: loud}", message: /:1: log\.level: / },
  { text: "- a list", message: /:1: the file: / },
  { text: "a: [", message: /at line 1/ },
  { text: "host_id: a\nhost_id: b", message: /unique.*at line 2/ },
];

for (const { text, message } of WRONG) {
  test(`refused, in words: ${JSON.stringify(text.slice(0, 60))}`, () => {
    assert.throws(() => parseConfig(text, "source"), message);
  });
}

test("a part of a section leaves the rest of it at its defaults", () => {
  const { keepalive, limits } = parseConfig(
    "keepalive: {time_ms: 1000, timeout_ms: 3000}",
    "source",
  );
  assert.deepEqual(keepalive, { timeMs: 1000, timeoutMs: 3000 });
  assert.equal(limits.arrivalsMax, 16);
});

test("a file that is not there is named", () => {
  assert.throws(() => loadConfig("/nowhere/agent.yaml", "source"), /\/nowhere\/agent\.yaml/);
});

test("an address is split, IPv6 included", () => {
  assert.deepEqual(splitAddress("[::1]:7701"), { host: "::1", port: 7701 });
  assert.deepEqual(splitAddress("host-1.example:1"), { host: "host-1.example", port: 1 });
  assert.throws(() => splitAddress("unix:/run/x"), /"host:port" is wanted/);
});
