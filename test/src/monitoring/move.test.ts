/*
 * Goal: whoever looks at Prometheus sees the same migration from both ends, its sums when it was shorter than a
 * scrape interval, too, and each guest at one host. Method: a real move between real agents, and their /metrics.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { stagedSpec } from "../e2e/support/staging.js";
import { Steps } from "../e2e/support/steps.js";
import { TestGuest, tickerFolder, tickerSpec } from "../harness/guests.js";
import { Hosts } from "../harness/hosts.js";
import { move } from "../harness/move.js";
import { until } from "../harness/until.js";
import { promtool } from "./promtool.js";
import { type Sample, scrape, scrapeText } from "./scrape.js";

let hosts: Hosts;
before(async () => {
  hosts = await Hosts.start({ patient: true, allowedPaths: [tickerFolder] });
});
after(() => hosts.close());

function valueIn(samples: readonly Sample[], name: string, labels: Record<string, string> = {}) {
  return samples.find(
    (sample) =>
      sample.name === name &&
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  )?.value;
}

test("a migration that is over is told by both ends under one id, and its guest by one host", async () => {
  const [one, two] = hosts.pair;
  const guest = await TestGuest.start(one, tickerSpec("seen", { memoryMib: 64 }));
  await guest.ticksOn();
  const own = valueIn(await scrape(one, "source"), "ferry_guest_owner_info", { guest_id: "seen" });
  assert.equal(own, 1);

  const outcome = await move("seen", one, two);
  assert.equal(outcome.verdict, "landed", JSON.stringify(outcome.why));
  const labels = { migration_id: outcome.migrationId, guest_id: "seen" };
  const source = await until("the source to be done", async () => {
    const told = await scrape(one, "source");
    return valueIn(told, "ferry_migration_phase", { ...labels, phase: "departed" }) === 1 && told;
  });
  const destination = await scrape(two, "destination");
  assert.equal(valueIn(destination, "ferry_migration_phase", { ...labels, phase: "landed" }), 1);
  const told = (name: string) => valueIn(source, `ferry_migration_${name}`, labels);
  assert.equal(told("progress_ratio"), 1);
  assert.ok((told("data_size_bytes") ?? 0) >= 64 * 1024 * 1024);
  assert.ok((told("data_processed_bytes") ?? 0) > 0);
  assert.equal(told("data_remaining_bytes"), 0);
  assert.equal(told("dirty_bytes_per_second"), undefined);
  const entered = source
    .filter(({ name, labels: { migration_id } }) => {
      const phases = "ferry_migration_phase_start_timestamp_seconds";
      return name === phases && migration_id === outcome.migrationId;
    })
    .map((sample) => sample.labels.phase);
  assert.deepEqual(entered, [
    "begun",
    "meeting",
    "performing",
    "released",
    "destroying",
    "departed",
  ]);

  const owned = { guest_id: "seen", host_id: "host-2" };
  await until("the guest to be the other host's", async () => {
    return valueIn(await scrape(two, "source"), "ferry_guest_owner_info", owned) === 1;
  });
  for (const samples of [await scrape(one, "source"), await scrape(two, "destination")]) {
    assert.equal(valueIn(samples, "ferry_guest_owner_info", { guest_id: "seen" }), undefined);
  }
});

test("what agents really tell has nothing that promtool complains of, before, during and after a move", async (t) => {
  const [one, two] = hosts.pair;
  const check = async (when: string) => {
    for (const host of [one, two]) {
      for (const role of ["source", "destination"] as const) {
        const text = (await scrapeText(host, role)).split("\n");
        // prom-client's own names of the process are not ours to choose.
        const ours = text.filter((line) => !/^(# \w+ )?(nodejs|process)_/.test(line)).join("\n");
        assert.match(ours, /^ferry_build_info\{/m);
        const said = promtool(["check", "metrics"], `${ours.trim()}\n`);
        assert.deepEqual(said, { ok: true, text: "" }, `${when}, ${host.name} ${role}`);
      }
    }
  };
  await check("before");
  await TestGuest.start(one, stagedSpec("checked"));
  const steps = new Steps({ guestId: "checked", from: one, to: two });
  await steps.begin();
  await check("begun");
  const tether = steps.prepare();
  t.after(() => tether.cancel());
  await tether.ready();
  await check("prepared");
  const view = steps.perform();
  t.after(() => view.leave());
  await steps.departureIn("released");
  await check("released");
  tether.cancel();
  await steps.departureIn("kept");
  await check("kept");
  assert.equal((await move("checked", one, two)).verdict, "landed");
  await check("landed");
});

test("a Prepare that is refused leaves no series behind", async () => {
  const [one, two] = hosts.pair;
  await TestGuest.start(one, stagedSpec("refused"));
  const steps = new Steps({ guestId: "refused", from: one, to: one }); // where it lives already
  await steps.begin();
  const refused = steps.prepare();
  await assert.rejects(refused.ready());
  for (const host of [one, two]) {
    const told = await scrape(host, "destination");
    assert.deepEqual(
      told.filter(({ labels }) => labels.guest_id === "refused"),
      [],
    );
  }
  await steps.abort();
});

test("an agent tells what it is, and how its disk does", async () => {
  const [one] = hosts.pair;
  for (const role of ["source", "destination"] as const) {
    const told = await scrape(one, role);
    const build = told.find(({ name }) => name === "ferry_build_info");
    assert.equal(build?.labels.host_id, "host-1");
    assert.match(build?.labels.qemu_versions ?? "", /^[0-9]+\.[0-9]+/);
    assert.equal(valueIn(told, "ferry_plaintext"), 1);
    assert.equal(valueIn(told, "ferry_journal_write_failures_total", { code: "ENOSPC" }), 0);
    assert.ok(valueIn(told, "nodejs_eventloop_lag_p99_seconds") !== undefined);
  }
  const source = await scrape(one, "source");
  assert.ok((valueIn(source, "ferry_journal_write_seconds_count", { step: "write" }) ?? 0) > 0);
});
