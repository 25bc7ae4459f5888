/*
 * Goal: whatever calls agents says who calls: each call has an id of its own, and all of a command's calls are in the
 * trace that the command was started in. Method: every command that asks agents anything, as a process, against
 * scripted agents that look at the metadata.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import type { Script } from "@ferry/client/fake-agents";
import { startFerry } from "./command-for-tests.js";
import { HEALTHY, startFleet } from "./fleet-for-tests.js";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
const MIGRATION = "0b7d3f6e-5a51-4c6f-9c1d-6f6d3ad7c1a4";

const directory = mkdtempSync(join(tmpdir(), "ferry-trace-"));
after(() => rmSync(directory, { recursive: true }));

/** Two hosts on which all goes well, and the command with their hosts file. */
async function setUp(t: TestContext, script: Script = {}) {
  const { agents, others, hosts } = await startFleet(directory, { ...HEALTHY, ...script });
  t.after(() => [agents, others].forEach((each) => void each.close()));
  const ferry = (args: readonly string[], env: NodeJS.ProcessEnv = {}) => {
    const started = startFerry(["--hosts", hosts, ...args], {
      env: { PATH: process.env.PATH, HOME: directory, ...env },
    });
    t.after(() => started.child.kill("SIGKILL"));
    return started;
  };
  const named = () => [...agents.named, ...others.named];
  return { agents, ferry, named };
}

const COMMANDS: readonly (readonly string[])[] = [
  ["start", "a", "--name", "vm2", "--memory", "32M"],
  ["stop", "vm1"],
  ["pause", "vm1"],
  ["resume", "vm1"],
  ["guests"],
  ["migrate", "vm1", "--to", "b"],
  ["resolve", MIGRATION],
  ["info"],
  ["doctor"],
  ["call", "GetInfo", "--host", "a"],
];

/** Those that only ask whether. */
const ASKING: readonly (readonly string[])[] = [
  ["check", "vm1", "--to", "b"],
  ["drain", "a", "--to", "b", "--dry-run"],
];

for (const args of [...COMMANDS, ...ASKING]) {
  test(`every call of ${args[0]} has an id of its own, and is in the command's trace`, async (t) => {
    const script: Script = ASKING.includes(args) ? { prepare: [["validated", "ok"]] } : {};
    const { ferry, named } = await setUp(t, script);
    await ferry(args, { TRACEPARENT: TRACE }).done;
    const calls = named().filter(({ path }) => path.startsWith("/ferry.v1."));
    assert.ok(calls.length > 0);
    for (const { path, traceparent } of calls) assert.equal(traceparent, TRACE, path);
    const ids = calls.map(({ requestId }) => requestId);
    for (const id of ids) assert.match(id ?? "", /^[0-9a-f-]{36}$/);
    assert.equal(new Set(ids).size, ids.length);
  });
}

test("so has every call of a watch", async (t) => {
  const { ferry, named } = await setUp(t, { finish: ["pending"] });
  const { child, done, says } = ferry(["watch"], { TRACEPARENT: TRACE });
  await says("vm1");
  child.kill("SIGINT");
  await done;
  assert.ok(named().length > 0);
  for (const { path, traceparent } of named()) assert.equal(traceparent, TRACE, path);
});

test("--traceparent goes before the environment, wherever it stands", async (t) => {
  const { ferry, named } = await setUp(t);
  await ferry(["resolve", MIGRATION, "--traceparent", OTHER], { TRACEPARENT: TRACE }).done;
  await ferry(["--traceparent", OTHER, "resolve", MIGRATION], { TRACEPARENT: TRACE }).done;
  assert.equal(named().length, 8);
  for (const { traceparent } of named()) assert.equal(traceparent, OTHER);
});

test("without a trace none is sent, nor one that the environment has wrong", async (t) => {
  const { ferry, named } = await setUp(t);
  assert.equal((await ferry(["guests"]).done).code, 0);
  assert.equal((await ferry(["guests"], { TRACEPARENT: "nönsense" }).done).code, 0);
  assert.equal(named().length, 4);
  for (const { traceparent } of named()) assert.equal(traceparent, undefined);
});

test("a --traceparent that is none is refused, and nobody is called", async (t) => {
  const { ferry, named } = await setUp(t);
  const { code, err } = await ferry(["resolve", MIGRATION, "--traceparent", "00-1-2-01"]).done;
  assert.equal(code, 1);
  assert.match(err, /32 and 16 hexadecimal digits/);
  assert.deepEqual(named(), []);
});

test("a call that no agent answered is told by its id all the same", async (t) => {
  const { ferry, named } = await setUp(t, { begin: ["lose"] });
  const { code, err } = await ferry(["call", "Begin", "--host", "a"]).done;
  assert.equal(code, 1);
  const begin = named().find(({ path }) => path.endsWith("/Begin"));
  assert.ok(begin?.requestId !== undefined);
  assert.ok(err.includes(`if it heard the call: ${begin.requestId}`), err);
});
