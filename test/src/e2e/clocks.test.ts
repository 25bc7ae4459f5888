/*
 * Goal: clocks that jump, either way, move nothing: no tether is cut, no lease lapses, nothing is stale,
 * and a copy under way lands. Method: two hosts' agents in this process, whose wall clock the test sets;
 * QEMUs and durations are real.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, mock, test } from "node:test";
import { guestRunDirectory } from "@ferry/agent-kit";
import { connectHost, type Host, listMigrations, migrate } from "@ferry/client";
import { SourceServiceService, Verdict } from "@ferry/contract";
import { connect } from "@ferry/qmp";
import { tickerFolder, tickerSpec } from "../harness/guests.js";
import { until } from "../harness/until.js";
import { type OldHost, startOn } from "../skew/old-state.js";

const YEAR_MS = 365 * 24 * 3_600_000;
const NARROW = 64 * 1024;
const dir = mkdtempSync(join(tmpdir(), "fyc-"));
const undo: (() => unknown)[] = [];
const hosts: Host[] = [];

before(async () => {
  for (const name of ["host-1", "host-2"] satisfies OldHost[]) {
    const at = join(dir, name.slice(-1));
    const agents = [];
    for (const role of ["source", "destination"] as const) {
      const agent = await startOn(name, role, at, [tickerFolder]);
      undo.push(() => agent.stop());
      agents.push(`127.0.0.1:${agent.port}`);
    }
    const [source = "", destination = ""] = agents;
    hosts.push(connectHost({ source, destination, hostId: name, plaintext: true }));
  }
  mock.timers.enable({ apis: ["Date"], now: Date.now() });
});
after(async () => {
  mock.timers.reset();
  for (const host of hosts) host.close();
  for (const each of undo.reverse()) await each();
  rmSync(dir, { recursive: true, force: true });
});

function jump(years: number): void {
  mock.timers.setTime(Date.now() + years * YEAR_MS);
}

test("a copy goes on and lands over a year that is skipped and two that come again", async () => {
  const [from, to] = hosts;
  assert.ok(from && to);
  await from.guests.start(tickerSpec("jumpy", { ram: 8, check: 64, memoryMib: 32 }));
  const run = migrate({ guestId: "jumpy", from, to, bandwidthBytesPerSecond: NARROW });
  const phase = (host: Host) => async (is: string) => {
    const [seen] = await listMigrations(host.source, "jumpy");
    return seen?.phase === is;
  };
  await until("the copy to begin", () => phase(from)("performing"));
  for (const years of [1, -2, 1.5]) {
    jump(years);
    // A beat of Meet and of the tether passes, as real time does.
    const beats = performance.now() + 1_500;
    await until("some beats to pass", () => performance.now() > beats, 60_000 + 3 * YEAR_MS);
    assert.ok(await phase(from)("performing"), `after a jump of ${years} years`);
  }
  await unleash();
  const outcome = await run.result;
  assert.equal(outcome.verdict, "landed", JSON.stringify(outcome.why));
  await to.guests.stop("jumpy", { graceMs: 0 });
});

test("a lease lasts as long as it was promised", async () => {
  const [from] = hosts;
  assert.ok(from);
  await from.guests.start(tickerSpec("leased", { ram: 4, check: 0, memoryMib: 32 }));
  const migrationId = randomUUID();
  const guestId = "leased";
  const begin = { expectedAgentId: "", migrationId, guestId, validateOnly: false, path: undefined };
  await from.source.unary(SourceServiceService.begin, begin, {});
  for (const years of [1, -3]) {
    jump(years);
    const [seen] = await listMigrations(from.source, "leased");
    assert.deepEqual([seen?.phase, Verdict[seen?.verdict ?? 0]], ["begun", "PENDING"]);
  }
  await from.source.unary(SourceServiceService.abort, { expectedAgentId: "", migrationId }, {});
  await from.guests.stop("leased", { graceMs: 0 });
});

/** The copy may be as fast as it likes: asked of QEMU itself, on a monitor that no agent opens. */
async function unleash(): Promise<void> {
  const path = join(guestRunDirectory(join(dir, "1", "run"), "jumpy"), "debug.qmp");
  const qmp = await connect(path, { timeoutMs: 20_000 });
  await qmp.execute("migrate-set-parameters", { "max-bandwidth": 2 ** 40 });
  qmp.close();
}
