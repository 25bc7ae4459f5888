import assert from "node:assert/strict";
import { test } from "node:test";
import { makeMetrics } from "./metrics.js";
import { metricsText } from "./metrics-text.js";
import { type CopyFacts, MigrationSeries } from "./migration-series.js";

const COPY: CopyFacts = {
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
};
const startedAt = new Date(1_000);
const named = (migrationId: string) => ({
  migrationId,
  guestId: `guest-${migrationId}`,
  startedAt,
});

function setUp(options: { migrationsMax?: number; keptMs?: number } = {}) {
  const clock = { nowMs: 10_000 };
  const series = new MigrationSeries({ ...options, now: () => clock.nowMs });
  return { clock, series, ids: () => series.told().map(({ migrationId }) => migrationId) };
}

test("a migration is told while it is under way, and some minutes after", () => {
  const { clock, series, ids } = setUp({ keptMs: 60_000 });
  series.begin(named("a"), () => ({ copy: COPY }));
  clock.nowMs += 3_600_000;
  assert.deepEqual(ids(), ["a"]);
  series.end("a");
  clock.nowMs += 59_000;
  assert.deepEqual(ids(), ["a"]);
  clock.nowMs += 1_000;
  assert.deepEqual(ids(), []);
});

test("what ended is not asked again, and keeps its last values", () => {
  const { series } = setUp();
  let asked = 0;
  series.begin(named("a"), () => {
    asked += 1;
    return { copy: COPY };
  });
  series.end("a");
  assert.equal(series.told()[0]?.copy?.ratio, 0.75);
  assert.equal(asked, 1);
});

test("there are never more than the bound, and what is under way comes first", () => {
  const { series, ids } = setUp({ migrationsMax: 2 });
  for (const id of ["a", "b", "c"]) {
    series.begin(named(id), () => ({}));
    series.end(id);
  }
  assert.deepEqual(ids(), ["c", "b"]);
  for (const id of ["d", "e", "f"]) series.begin(named(id), () => ({}));
  assert.deepEqual(ids(), ["d", "e"]);
  assert.equal(series.untold, 1);
});

test("every phase has the moment at which it was entered, and the last one is where it is", () => {
  const { clock, series } = setUp();
  series.begin(named("a"), () => ({}), "meeting");
  clock.nowMs = 11_000;
  series.moved("a", "performing");
  clock.nowMs = 12_000;
  series.moved("a", "meeting");
  series.moved("nobody", "performing");
  const [told] = series.told();
  assert.equal(told?.phase, "meeting");
  assert.deepEqual(
    [...(told?.phases ?? [])],
    [
      ["performing", 11_000],
      ["meeting", 12_000],
    ],
  );
});

async function textOf(series: MigrationSeries, role: "source" | "destination" = "source") {
  return makeMetrics({ role, process: false, series }).registry.metrics();
}

const LABELS = 'migration_id="a",guest_id="guest-a",role="source"';

test("a copy under way is told with its rates, its guess and how it goes", async () => {
  const { series } = setUp();
  series.begin(named("a"), () => ({ copy: COPY, downtimeLimitMs: 300, meetConnected: true }));
  series.moved("a", "performing");
  const text = await textOf(series);
  for (const line of [
    `ferry_migration_phase{${LABELS},phase="performing"} 1`,
    `ferry_migration_phase_start_timestamp_seconds{${LABELS},phase="performing"} 10`,
    `ferry_migration_start_timestamp_seconds{${LABELS}} 1`,
    `ferry_migration_data_size_bytes{${LABELS}} 400`,
    `ferry_migration_data_processed_bytes{${LABELS}} 300`,
    `ferry_migration_data_remaining_bytes{${LABELS}} 100`,
    `ferry_migration_best_remaining_bytes{${LABELS}} 100`,
    `ferry_migration_progress_ratio{${LABELS}} 0.75`,
    `ferry_migration_iteration{${LABELS}} 2`,
    `ferry_migration_dirty_bytes_per_second{${LABELS}} 10`,
    `ferry_migration_transfer_bytes_per_second{${LABELS}} 20`,
    `ferry_migration_eta_seconds{${LABELS}} 10`,
    `ferry_migration_predicted_downtime_seconds{${LABELS}} 0.5`,
    `ferry_migration_downtime_limit_seconds{${LABELS}} 0.3`,
    `ferry_migration_meet_connected{${LABELS}} 1`,
    `ferry_migration_convergence_state{${LABELS},state="plateau"} 1`,
    `ferry_migration_convergence_state{${LABELS},state="progressing"} 0`,
  ]) {
    assert.ok(text.includes(`${line}\n`), line);
  }
  assert.doesNotMatch(text, /awaiting_verdict_seconds\{/);
});

test("once it is over its sums stay, its rates go, and nothing is wrong with it", async () => {
  const { series } = setUp();
  series.begin(named("a"), () => ({ copy: COPY, meetConnected: false }));
  series.moved("a", "performing");
  series.moved("a", "departed");
  series.end("a");
  const text = await textOf(series);
  assert.match(text, /data_processed_bytes\{.*\} 300/);
  assert.match(text, /convergence_state\{.*state="plateau"\} 0/);
  assert.match(text, /migration_phase\{.*phase="departed"\} 1/);
  assert.match(text, /phase_start_timestamp_seconds\{.*phase="performing"\} 10/);
  assert.doesNotMatch(text, /(dirty_bytes_per_second|eta_seconds|meet_connected)\{/);
});

test("a guest that stands still everywhere says for how long, and only then", async () => {
  const series = new MigrationSeries({ now: () => Date.now() - 90_000 });
  series.begin(named("a"), () => ({}));
  series.moved("a", "released");
  const seconds = /awaiting_verdict_seconds\{.*\} ([0-9.]+)/.exec(await textOf(series))?.[1];
  assert.ok(Number(seconds) >= 90 && Number(seconds) < 1_000, seconds);
  series.moved("a", "destroying");
  assert.doesNotMatch(await textOf(series), /awaiting_verdict_seconds\{/);
});

test("a destination tells phases and nothing of the copy, which is not its own", async () => {
  const { series } = setUp();
  series.begin(named("a"), () => ({}));
  series.moved("a", "prepared");
  const text = await textOf(series, "destination");
  assert.match(text, /migration_phase\{.*role="destination",phase="prepared"\} 1/);
  assert.doesNotMatch(text, /ferry_migration_data/);
});

test("the text that is made quickly says what the registry says", async () => {
  const { series } = setUp();
  series.begin({ ...named("a"), guestId: 'we"ird\\' }, () => ({
    copy: COPY,
    downtimeLimitMs: 300,
  }));
  series.moved("a", "performing");
  series.begin(named("b"), () => ({}), "meeting");
  const { registry } = makeMetrics({ role: "source", process: false, series });
  assert.equal(await metricsText(registry), await registry.metrics());
});
