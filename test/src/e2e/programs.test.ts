/*
 * Goal: either agent's program starts, says what it is, keeps others off its state directory, and ends on a
 * signal with nothing left behind. Method: the real program, a real QEMU to ask, real signals.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeLogger, parseConfig } from "@ferry/agent-kit";
import { AgentServiceClient, type GetInfoResponse, Role } from "@ferry/contract";
import { startDestinationAgent } from "@ferry/destination-agent";
import { startSourceAgent } from "@ferry/source-agent";
import { credentials } from "@grpc/grpc-js";
import type { AgentRole } from "../harness/agent-process.js";

const AGENTS = [
  { role: "source", wire: Role.SOURCE, start: startSourceAgent },
  { role: "destination", wire: Role.DESTINATION, start: startDestinationAgent },
] as const;

const START_TIMEOUT_MS = 60_000;

/** A configuration in a directory of its own. */
function setUp(t: TestContext, role: AgentRole, qemu = "accelerator: tcg") {
  const dir = mkdtempSync(join(tmpdir(), `ferry-${role}-`));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const yaml = [
    "host_id: host-1",
    "plaintext: true",
    'listen: "127.0.0.1:0"',
    'metrics_listen: "127.0.0.1:0"',
    'health_listen: "127.0.0.1:0"',
    `state_dir: ${join(dir, "state")}`,
    `run_dir: ${join(dir, "run")}`,
    `qemu: {${qemu}}`,
    "timeouts: {drain_ms: 1000}",
  ].join("\n");
  const path = join(dir, "agent.yaml");
  writeFileSync(path, yaml);
  return { path, config: parseConfig(yaml, role) };
}

/** Runs the program; `said` resolves with the first line of its log that has those words. */
function run(t: TestContext, role: AgentRole, path: string) {
  const program = fileURLToPath(
    new URL(`../../../services/${role}-agent/dist/main.js`, import.meta.url),
  );
  const child = spawn(process.execPath, [program, "--config", path], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    child.on("close", (code) => resolve({ code, out, err }));
  });
  const said = (words: string) =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      const look = () => {
        const line = out.split("\n").find((each) => each.includes(words));
        if (line !== undefined) resolve(JSON.parse(line) as Record<string, unknown>);
      };
      child.stdout.on("data", look);
      void ended.then(() => reject(new Error(`it ended without ${words}: ${err}`)));
      setTimeout(() => reject(new Error(`no ${words} in time`)), START_TIMEOUT_MS).unref();
      look();
    });
  return { child, said, ended };
}

/** Asks until the agent is not starting any more. */
function getInfo(address: unknown, role: AgentRole): Promise<GetInfoResponse> {
  const client = new AgentServiceClient(String(address), credentials.createInsecure());
  const expectedAgentId = `host-1/${role}`;
  return new Promise<GetInfoResponse>((resolve, reject) => {
    const ask = () =>
      client.getInfo({ expectedAgentId }, (error, info) => {
        if (error === null) resolve(info);
        else if (error.message.includes("still finding its guests")) setTimeout(ask, 20);
        else reject(error);
      });
    ask();
  }).finally(() => client.close());
}

for (const { role, wire, start } of AGENTS) {
  test(`the ${role} agent starts, says what it is, and ends on SIGTERM`, async (t) => {
    const { child, said, ended } = run(t, role, setUp(t, role).path);
    const info = await getInfo((await said('"listening"')).address, role);
    assert.equal(info.agentId, `host-1/${role}`);
    assert.equal(info.role, wire);
    assert.match(info.qemu?.version ?? "", /^\d+\.\d+/);
    assert.equal(info.guests, 0);
    assert.equal(info.limits?.guestsMax, 1_024);
    child.kill("SIGTERM");
    const { code, out } = await ended;
    assert.equal(code, 0, out);
    assert.match(out, /"shut down"/);
  });

  test(`the ${role} agent: a second agent keeps off the state directory, and says who has it`, async (t) => {
    const { path } = setUp(t, role);
    const first = run(t, role, path);
    await first.said('"listening"');
    const { code, err } = await run(t, role, path).ended;
    assert.equal(code, 2);
    assert.ok(err.includes(`another ${role} agent (pid ${first.child.pid})`), err);
  });

  test(`the ${role} agent: an agent that was killed does not keep its successor from starting`, async (t) => {
    const { path } = setUp(t, role);
    const first = run(t, role, path);
    await first.said('"listening"');
    first.child.kill("SIGKILL");
    await first.ended;
    const info = await getInfo((await run(t, role, path).said('"listening"')).address, role);
    assert.equal(info.agentId, `host-1/${role}`);
  });

  test(`the ${role} agent: a start that fails halfway undoes what it did`, async (t) => {
    const log = makeLogger({ level: "fatal", base: {} }, { write: () => {} });
    const options = { log, processMetrics: false };
    const holder = await start(setUp(t, role).config, options);
    t.after(() => holder.stop());
    const { config } = setUp(t, role);
    const taken = { ...config, metricsListen: `127.0.0.1:${holder.metricsPort}` };
    await assert.rejects(start(taken, options), /metrics_listen/);
    const agent = await start(config, options); // the state directory is free again
    await agent.stop();
  });

  test(`the ${role} agent: without QEMU it does not start, and names the program that is missing`, async (t) => {
    const { path } = setUp(t, role, "binary: /nowhere/qemu, accelerator: tcg");
    const { code, err } = await run(t, role, path).ended;
    assert.equal(code, 2);
    assert.match(err, /\/nowhere\/qemu/);
  });
}
