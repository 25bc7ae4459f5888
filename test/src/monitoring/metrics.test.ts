/*
 * Goal: Prometheus finds nothing to complain about in what the agents tell. Method: its own linter, on
 * registries in which everything has a value, without prom-client's metrics of the process, which are not ours.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type MigrationFacts, makeMetrics, tellBuild } from "@ferry/agent-kit";
import { promtool } from "./promtool.js";

const FACTS: MigrationFacts = {
  copy: {
    transferredBytes: 300,
    remainingBytes: 100,
    totalBytes: 400,
    dirtyBytesPerSecond: 10,
    transferBytesPerSecond: 20,
    bestRemainingBytes: 100,
    iteration: 2,
    ratio: 0.75,
    etaMs: 10_000,
    expectedDowntimeMs: 500,
    convergence: "plateau",
  },
  downtimeLimitMs: 300,
  meetConnected: true,
};

for (const role of ["source", "destination"] as const) {
  test(`promtool has nothing against the ${role} agent's metrics`, async () => {
    const metrics = makeMetrics({ role, process: false });
    tellBuild(metrics, { role, hostId: "host-1", protocolVersion: 1, qemuVersions: ["7.2.22"] });
    for (const phase of ["performing", "released"]) {
      const named = { migrationId: phase, guestId: phase, startedAt: new Date() };
      metrics.series.begin(named, () => FACTS);
      metrics.series.moved(phase, phase);
    }
    metrics.owner.set({ guest_id: "guest", host_id: "host-1" }, 1);
    const text = await metrics.registry.metrics();
    assert.ok(text.includes("ferry_migration_phase{"));
    assert.deepEqual(promtool(["check", "metrics"], text), { ok: true, text: "" });
  });
}

test("promtool would have something against a metric that is named badly", () => {
  const text = "# TYPE ferry_moves counter\nferry_moves 1\n";
  assert.equal(promtool(["check", "metrics"], text).ok, false);
});
