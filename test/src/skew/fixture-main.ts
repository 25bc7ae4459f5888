/*
 * Writes the state directories of two hosts as the agents of this release write them, with a migration in
 * each phase that is written down: node test/dist/skew/fixture-main.js OUT (as root). Run at a release, and
 * what it wrote is committed under test/fixtures, so that the next release can be held to reading it.
 */
import { cpSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { guestRunDirectory } from "@ferry/agent-kit";
import { openBench } from "../e2e/support/bench-hosts.js";
import { contOrdered, LateMonitor } from "../e2e/support/late-monitor.js";
import { NARROW, stagedSpec } from "../e2e/support/staging.js";
import { Steps } from "../e2e/support/steps.js";
import { TestGuest } from "../harness/guests.js";
import { move } from "../harness/move.js";
import { signal } from "../harness/processes.js";
import { until } from "../harness/until.js";

const out = process.argv[2];
if (out === undefined) throw new Error("fixture-main.js OUT");
const bench = await openBench();
try {
  const [from, to] = bench.hosts.pair;
  const start = (guestId: string) => TestGuest.start(from, stagedSpec(guestId));
  await start("resident");
  await start("landed");
  await move("landed", from, to);

  const held = async (guestId: string, monitored = false) => {
    await start(guestId);
    const steps = new Steps({ guestId, from, to });
    await steps.begin();
    if (monitored) bench.slow.setAside(guestId, "destination.qmp");
    const tether = bench.keep(steps.prepare());
    const path = join(guestRunDirectory(to.runDir, steps.migrationId), "destination.qmp");
    if (monitored) bench.keep(await LateMonitor.at(path, contOrdered));
    await tether.ready();
    return steps;
  };
  const kept = await held("kept");
  await kept.perform().bound();
  await kept.arrivalIn("loadedReleased");
  await kept.abandon(60_000);
  await kept.confirm(60_000);

  await held("prepared");
  const performing = await held("performing");
  await performing.perform({ bandwidthBytesPerSecond: NARROW }).bound();
  const released = await held("released");
  await released.perform().bound();
  await released.arrivalIn("loadedReleased");
  for (const guestId of ["landing", "perished"]) {
    const steps = await held(guestId, true);
    await steps.perform().bound();
    await steps.land();
    await steps.arrivalIn("landing");
    if (guestId !== "perished") continue;
    const path = join(guestRunDirectory(to.runDir, steps.migrationId), "processes.json");
    const { qemu } = JSON.parse(readFileSync(path, "utf8")) as { qemu: { pid: number } };
    signal(qemu.pid, "SIGKILL");
    await steps.arrivalIn("perished");
  }
  await until("the ending of what was moved to be acknowledged", () =>
    readdirSync(join(to.stateDir, "endings")).some((name) => name.endsWith(".acknowledged")),
  );
  for (const host of [from, to]) {
    const copy = join(out, host.name);
    rmSync(copy, { recursive: true, force: true });
    cpSync(host.stateDir, copy, { recursive: true });
    for (const name of readdirSync(copy)) if (name.endsWith(".lock")) rmSync(join(copy, name));
  }
} finally {
  await bench.close();
}
