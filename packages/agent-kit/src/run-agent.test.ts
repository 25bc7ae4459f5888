import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeAuthority } from "@ferry/tether/certificates-for-tests";
import { until } from "./calls-for-tests.js";
import { VERSION } from "./version.js";

const PROGRAM = fileURLToPath(new URL("./agent-for-tests.js", import.meta.url));

interface Run {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly ended: Promise<{ code: number | null; out: string; err: string }>;
}

function run(t: TestContext, ...args: string[]): Run {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  t.after(() => child.kill("SIGKILL"));
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    child.on("close", (code) => resolve({ code, out, err }));
  });
  return { child, out: () => out, ended };
}

function fileWith(t: TestContext, text: string): string {
  const dir = mkdtempSync(join(tmpdir(), "ferry-run-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, "agent.yaml");
  writeFileSync(path, text);
  return path;
}

const PLAIN = "plaintext: true\n";

test("--help and --version answer and do nothing", async (t) => {
  const help = await run(t, "--help").ended;
  assert.equal(help.code, 0);
  assert.match(help.out, /Usage: ferry-source-agent \[--config FILE\]/);
  const version = await run(t, "--version").ended;
  assert.deepEqual([version.code, version.out], [0, `ferry-source-agent ${VERSION}\n`]);
});

test("an option that does not exist is refused by name", async (t) => {
  const { code, err } = await run(t, "--conifg", "x").ended;
  assert.equal(code, 2);
  assert.match(err, /^ferry-source-agent: .*--conifg/);
});

test("--check-config names what is wrong in the file, and its line", async (t) => {
  const wrong = fileWith(t, `${PLAIN}limit: {}\n`);
  const { code, err } = await run(t, "--check-config", "--config", wrong).ended;
  assert.equal(code, 2);
  assert.match(err, /agent\.yaml:2: limit is not a key/);
});

test("--check-config also reads what the file names", async (t) => {
  const path = fileWith(t, "tls: {cert: /nowhere/crt}\n");
  const { code, err } = await run(t, "--check-config", "--config", path).ended;
  assert.equal(code, 2);
  assert.match(err, /tls\.cert cannot be read: .*\/nowhere\/crt/);
});

test("--check-config says when all is fine, over TLS as well", async (t) => {
  assert.equal((await run(t, "--check-config", "--config", fileWith(t, PLAIN)).ended).code, 0);
  const authority = makeAuthority();
  const { cert, key } = authority.issue({ uris: ["ferry://agent/host-1"] });
  const files = { cert: fileWith(t, cert), key: fileWith(t, key), ca: fileWith(t, authority.ca) };
  const path = fileWith(t, `host_id: host-1\ntls: ${JSON.stringify(files)}\n`);
  const { code, out, err } = await run(t, "--check-config", "--config", path).ended;
  assert.equal(code, 0, err);
  assert.match(out, /fine/);
});

test("an agent that cannot start says why, with the cause, and exits 2", async (t) => {
  const path = fileWith(t, `${PLAIN}host_id: unlucky\n`);
  const { code, out, err } = await run(t, "--config", path).ended;
  assert.equal(code, 2);
  assert.match(err, /ferry-source-agent: outer: inner/);
  assert.match(out, /"fatal".*cannot start/);
});

test("SIGTERM ends it in order, and the log is whole", async (t) => {
  const { child, out, ended } = run(t, "--config", fileWith(t, `${PLAIN}host_id: host-1\n`));
  await until("it runs", () => /"running"/.test(out()));
  child.kill("SIGTERM");
  const { code, out: log } = await ended;
  assert.equal(code, 0);
  const lines = log.trim().split("\n");
  const said = lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
  assert.deepEqual(said, ["starting", "running", "shutting down", "stopping", "shut down"]);
  for (const line of lines) assert.match(line, /"agent_id":"host-1\/source"/);
});

test("signals that mean something to other programs do not end it, and open no debugger", async (t) => {
  const { child, out, ended } = run(t, "--config", fileWith(t, `${PLAIN}host_id: host-1\n`));
  await until("it runs", () => /"running"/.test(out()));
  for (const signal of ["SIGUSR1", "SIGUSR2"] as const) {
    child.kill(signal);
    await until(`${signal} is noted`, () => out().includes(`"signal":"${signal}"`));
  }
  child.kill("SIGPIPE"); // what is written to nobody
  child.kill("SIGHUP");
  await until("the file is read again", () => /SIGHUP|configuration/.test(out()));
  child.kill("SIGTERM");
  const { code, err } = await ended;
  assert.equal(code, 0);
  assert.doesNotMatch(err, /Debugger/);
});

test("SIGTERM while it still starts ends it in order, too, as soon as it has", async (t) => {
  const { child, out, ended } = run(t, "--config", fileWith(t, `${PLAIN}host_id: slow\n`));
  await until("it starts", () => /"not yet"/.test(out()));
  child.kill("SIGTERM");
  const { code, out: log } = await ended;
  const said = log
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { msg: string }).msg);
  assert.deepEqual(said, [
    "starting",
    "not yet",
    "shutting down",
    "running",
    "stopping",
    "shut down",
  ]);
  assert.equal(code, 0);
});

test("a second signal ends an agent that does not stop", async (t) => {
  const { child, out, ended } = run(t, "--config", fileWith(t, `${PLAIN}host_id: stuck\n`));
  await until("it runs", () => /"running"/.test(out()));
  child.kill("SIGTERM");
  await until("it stops", () => /"stopping"/.test(out()));
  child.kill("SIGINT");
  assert.equal((await ended).code, 1);
});

test("a bug ends it, and is in the log", async (t) => {
  const path = fileWith(t, `${PLAIN}host_id: buggy\n`);
  const { code, out } = await run(t, "--config", path).ended;
  assert.equal(code, 1);
  assert.match(out, /"fatal".*a bug/);
});

test("the log's reader may go away without ending the agent", async (t) => {
  const { child, out, ended } = run(t, "--config", fileWith(t, `${PLAIN}host_id: host-1\n`));
  await until("it runs", () => /"running"/.test(out()));
  child.stdout?.destroy();
  child.kill("SIGTERM");
  assert.equal((await ended).code, 0);
});
