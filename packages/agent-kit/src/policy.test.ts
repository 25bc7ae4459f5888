import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { CertificateName } from "./names.js";
import { agentNames, BUILT_IN, type Policy, parsePattern, ROLES, standingOf } from "./policy.js";

const uri = (value: string): CertificateName => ({ kind: "URI", value });
const dns = (value: string): CertificateName => ({ kind: "DNS", value });

function policyOf(patterns: Partial<Record<(typeof ROLES)[number], readonly string[]>>): Policy {
  const parsed = ROLES.map((role) => [
    role,
    (patterns[role] ?? []).map((text) => parsePattern(text, role)),
  ]);
  return { source: "a test's", patterns: Object.fromEntries(parsed) };
}

test("an exact pattern matches that name alone", () => {
  const policy = policyOf({ controller: ["spiffe://example.org/ns/prod/sa/mover"] });
  const roles = (name: string) => standingOf([uri(name)], policy).roles;
  assert.deepEqual(roles("spiffe://example.org/ns/prod/sa/mover"), ["controller"]);
  assert.deepEqual(roles("spiffe://example.org/ns/prod/sa/mover2"), []);
  assert.deepEqual(roles("spiffe://example.org/ns/prod/sa/mover/x"), []);
  assert.deepEqual(roles("spiffe://exampleXorg/ns/prod/sa/mover"), []);
});

test("a star stands for a part without a slash in a URI, and for one label of a DNS name", () => {
  const policy = policyOf({ viewer: ["spiffe://example.org/ns/*/sa/view-*", "*.ops.example"] });
  const isViewer = (name: CertificateName) => standingOf([name], policy).roles.length > 0;
  assert.ok(isViewer(uri("spiffe://example.org/ns/a/sa/view-1")));
  assert.ok(!isViewer(uri("spiffe://example.org/ns/a/b/sa/view-1")));
  assert.ok(!isViewer(uri("spiffe://example.org/ns//sa/view-1")));
  assert.ok(isViewer(dns("Grafana.ops.example")));
  assert.ok(!isViewer(dns("a.b.ops.example")));
  assert.ok(!isViewer(dns("ops.example")));
  assert.ok(!isViewer(uri("x://grafana.ops.example")));
  assert.ok(!isViewer(dns("*.ops.example")), "a wildcard certificate is whoever holds it");
});

test("an agent's host is read out of its name, whatever the name looks like", () => {
  const policy = policyOf({
    agent: ["spiffe://example.org/ferry/{host}/agent", "{host}.hosts.example"],
  });
  assert.equal(standingOf([uri("spiffe://example.org/ferry/h-1/agent")], policy).hostId, "h-1");
  assert.equal(standingOf([dns("h-1.hosts.example")], policy).hostId, "h-1");
  const both = [uri("spiffe://example.org/ferry/h-1/agent"), dns("h-1.hosts.example")];
  assert.equal(standingOf(both, policy).hostId, "h-1");
  const two = [uri("spiffe://example.org/ferry/h-1/agent"), dns("h-2.hosts.example")];
  assert.deepEqual(standingOf(two, policy), { roles: [], hostId: undefined, name: undefined });
});

test("the names that make a host's certificate are told", () => {
  const policy = policyOf({ agent: ["ferry://agent/{host}", "{host}.hosts.example"] });
  assert.deepEqual(agentNames("h-1", policy), [uri("ferry://agent/h-1"), dns("h-1.hosts.example")]);
});

for (const [text, role, complaint] of [
  ["", "viewer", /neither a URI pattern/],
  ["ops", "agent", /\{host\} once/],
  ["ferry://agent/*", "agent", /\{host\} once/],
  ["ferry://agent/{host}/{host}", "agent", /\{host\} once/],
  ["ferry://viewer/{host}", "viewer", /for the role agent alone/],
  ["ferry://viewer/{name}", "viewer", /mean nothing/],
  ["ferry://viewer/**", "viewer", /mean nothing/],
  ["spiffe://*/viewer", "viewer", /no URI pattern/],
  ["*", "viewer", /neither a URI pattern/],
  ["ops.*.example", "viewer", /neither a URI pattern/],
  ["ops example", "viewer", /neither a URI pattern/],
  [`x://${"y".repeat(600)}`, "viewer", /at most 512/],
] as const) {
  test(`no pattern for ${role}: ${text.slice(0, 40)}`, () => {
    assert.throws(() => parsePattern(text, role), complaint);
  });
}

test("any names at all have a standing", () => {
  const name = fc.record({
    kind: fc.constantFrom("URI" as const, "DNS" as const),
    value: fc.oneof(
      fc.string(),
      fc
        .tuple(fc.constantFrom(...ROLES), fc.string())
        .map(([role, rest]) => `ferry://${role}/${rest}`),
    ),
  });
  fc.assert(
    fc.property(fc.array(name), (names) => {
      const { roles, hostId, name: by } = standingOf(names, BUILT_IN);
      assert.equal(roles.includes("agent"), hostId !== undefined);
      assert.equal(roles.length > 0, by !== undefined);
    }),
  );
});
