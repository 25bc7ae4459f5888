import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeLogger } from "./logs.js";
import { BUILT_IN, standingOf } from "./policy.js";
import { PolicyFile, parsePolicy } from "./policy-file.js";

const FINE = `roles:
  controller:
    - spiffe://example.org/mover
  agent:
    - ferry://agent/{host}
`;

function setUp(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "ferry-policy-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, "policy.yaml");
  writeFileSync(path, FINE);
  const lines: string[] = [];
  const log = makeLogger({ level: "info", base: {} }, { write: (line) => void lines.push(line) });
  const told: boolean[] = [];
  const file = new PolicyFile({ path, log, inForce: (isInForce) => void told.push(isInForce) });
  t.after(() => file.stop());
  const mayMove = (name: string) =>
    standingOf([{ kind: "URI", value: name }], file.current).roles.includes("controller");
  return { path, file, lines, told, mayMove };
}

test("a changed policy is taken up, and said so", (t) => {
  const { path, file, lines, told, mayMove } = setUp(t);
  assert.ok(mayMove("spiffe://example.org/mover"));
  writeFileSync(path, FINE.replace("/mover", "/other"));
  file.look();
  assert.ok(!mayMove("spiffe://example.org/mover"));
  assert.ok(mayMove("spiffe://example.org/other"));
  assert.match(lines.join(""), /policy read again/);
  assert.deepEqual(told, [true]);
});

test("one that cannot be used leaves the old one in force, loudly and once, until it is mended", (t) => {
  const { path, file, lines, told, mayMove } = setUp(t);
  writeFileSync(path, FINE.replace("controller", "controler"));
  file.look();
  file.look();
  assert.ok(mayMove("spiffe://example.org/mover"));
  const complaints = lines.filter((line) => /the old one stays in force/.test(line));
  assert.equal(complaints.length, 1);
  assert.match(complaints[0] ?? "", /policy\.yaml:2: roles\.controler is not a key Ferry knows/);
  rmSync(path);
  file.look();
  assert.match(lines.at(-1) ?? "", /cannot be read/);
  writeFileSync(path, FINE);
  file.look();
  assert.deepEqual(told, [false, false, false, true]);
});

test("the policies that docs/security.md shows can be used, and the first is the built-in one", () => {
  const page = readFileSync(new URL("../../../docs/security.md", import.meta.url), "utf8");
  const blocks = [...page.matchAll(/^```yaml\n(roles:\n[^`]*)^```$/gm)].map(
    ([, text = ""]) => text,
  );
  const [first, ...others] = blocks.map((text) => parsePolicy(text, "docs/security.md"));
  assert.deepEqual(first?.patterns, BUILT_IN.patterns);
  assert.ok(others.length > 0);
});

for (const [what, text, complaint] of [
  [
    "a role that is none",
    "roles:\n  agent: []\n  viewr: []\n",
    /^(?:ConfigError: )?p:3: roles\.viewr is not a key.*known here: controller, agent, viewer, operator/m,
  ],
  [
    "a bad pattern",
    "roles:\n  agent:\n    - ferry://agent/{host}\n  viewer:\n    - ferry://viewer/a\n    - ferry://viewer/**\n",
    /^(?:ConfigError: )?p:6: roles\.viewer\.1: .*\*/m,
  ],
  [
    "no pattern for agents",
    "roles:\n  viewer: []\n",
    /^(?:ConfigError: )?p:1: roles\.agent: without a pattern for agents/m,
  ],
  ["nothing at all", "", /^(?:ConfigError: )?p:1: roles: /m],
  [
    "a key that is none",
    "roels: {}\n",
    /^(?:ConfigError: )?p:1: roels is not a key Ferry knows; known here: roles/m,
  ],
  [
    "a star that YAML takes for an alias",
    "roles:\n  viewer:\n    - *.ops.example\n",
    /p:3: \*\.ops\.example is an alias of nothing: .*in quotes/,
  ],
  ["no list", "roles:\n  agent: ferry://agent/{host}\n", /^(?:ConfigError: )?p:2: roles\.agent: /m],
] as const) {
  test(`refused with its line: ${what}`, () => {
    assert.throws(() => parsePolicy(text, "p"), complaint);
  });
}
