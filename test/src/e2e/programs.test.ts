/*
 * Goal: either agent's program starts, says what it is, keeps others off its state directory, and ends on a
 * signal with nothing left behind. Method: the real program, a real QEMU to ask, real signals.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeLogger, parseConfig } from "@ferry/agent-kit";
import { AgentServiceClient, type GetInfoResponse, Role } from "@ferry/contract";
import { startDestinationAgent } from "@ferry/destination-agent";
import { startSourceAgent } from "@ferry/source-agent";
import { credentials } from "@grpc/grpc-js";
import type { AgentRole } from "../harness/agent-process.js";
import { configIn, type Program, startProgram } from "./support/program.js";

const AGENTS = [
  { role: "source", wire: Role.SOURCE, start: startSourceAgent },
  { role: "destination", wire: Role.DESTINATION, start: startDestinationAgent },
] as const;

/** A configuration in a directory of its own. */
function setUp(t: TestContext, role: AgentRole, qemu?: string) {
  const dir = mkdtempSync(join(tmpdir(), `ferry-${role}-`));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const more = ["timeouts: {drain_ms: 1000}"];
  const { path, yaml } = configIn(dir, { more, ...(qemu === undefined ? {} : { qemu }) });
  return { path, config: parseConfig(yaml, role) };
}

function run(t: TestContext, role: AgentRole, path: string): Program {
  const program = startProgram(role, path);
  t.after(() => program.child.kill("SIGKILL"));
  return program;
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
