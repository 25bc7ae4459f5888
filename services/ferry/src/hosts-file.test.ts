/* Goal: a hosts file that is wrong says where and how to mend it; one that is right is read whole. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Failure } from "./failure.js";
import { readHostsFile } from "./hosts-file.js";

const directory = mkdtempSync(join(tmpdir(), "ferry-hosts-"));
after(() => rmSync(directory, { recursive: true }));

function write(text: string): string {
  const file = join(directory, "ferry.yaml");
  writeFileSync(file, text);
  return file;
}

const HOSTS = "hosts: {a: {source: '10.0.0.1:7701', destination: '[::1]:7702'}}";

test("each host stands under its host_id, unless it says another, or none", () => {
  const { hosts } = readHostsFile(
    write(`plaintext: true
hosts:
  a: {source: 'a:1', destination: 'a:2'}
  b: {source: 'b:1', destination: 'b:2', host_id: b.example}
  c: {source: 'c:1', destination: 'c:2', host_id: null}`),
  );
  assert.deepEqual(
    [...hosts].map(([name, { hostId }]) => [name, hostId]),
    [
      ["a", "a"],
      ["b", "b.example"],
      ["c", undefined],
    ],
  );
});

test("certificates are read from paths relative to the file", () => {
  for (const name of ["ca", "crt", "key"]) writeFileSync(join(directory, name), name);
  const { hosts } = readHostsFile(write(`${HOSTS}\ntls: {ca: ca, cert: crt, key: key}`));
  assert.equal(hosts.get("a")?.tls?.key.toString(), "key");
  const named = readHostsFile(
    write(`${HOSTS}\ntls: {ca: ca, cert: crt, key: key, agent_name: "spiffe://x/{host}"}`),
  );
  assert.equal(named.hosts.get("a")?.tls?.agentName, "spiffe://x/{host}");
});

const WRONG: readonly (readonly [what: string, text: string, message: RegExp])[] = [
  ["no YAML", "hosts: [", /cannot be read/],
  ["no security", HOSTS, /either tls: \{ca, cert, key\} or plaintext: true/],
  ["both securities", `${HOSTS}\nplaintext: true\ntls: {ca: a, cert: b, key: c}`, /either tls/],
  ["no hosts", "plaintext: true\nhosts: {}", /at least one host/],
  [
    "no port",
    "plaintext: true\nhosts: {a: {source: x, destination: 'x:1'}}",
    /hosts\.a\.source: "host:port"/,
  ],
  ["an unknown key", `${HOSTS}\nplaintext: true\nplain: true`, /plain/],
  [
    "a bad name",
    "plaintext: true\nhosts: {A_b: {source: 'x:1', destination: 'x:1'}}",
    /hosts\.A_b: a host_id is wanted: 1 to 64 of a-z 0-9 \. -/,
  ],
  [
    "a port that is none",
    "plaintext: true\nhosts: {a: {source: 'x:99999', destination: 'x:1'}}",
    /hosts\.a\.source: "host:port"/,
  ],
  [
    "an agent name of no host",
    `${HOSTS}\ntls: {ca: ca, cert: crt, key: key, agent_name: "spiffe://x/y"}`,
    /tls\.agent_name: the name of a host's certificate/,
  ],
  [
    "a missing certificate",
    `${HOSTS}\ntls: {ca: no, cert: no, key: no}`,
    /certificate cannot be read/,
  ],
];

for (const [what, text, message] of WRONG) {
  test(`${what} is refused, with a way out`, () => {
    assert.throws(
      () => readHostsFile(write(text)),
      (error: unknown) => {
        assert.ok(error instanceof Failure);
        assert.match(error.message, message);
        assert.notEqual(error.next, "");
        return true;
      },
    );
  });
}
