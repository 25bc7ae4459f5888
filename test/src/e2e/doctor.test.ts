/*
 * Goal: whoever is called at night learns from one command what is wrong on which host and what to do.
 * Method: the command itself against real hosts, on which one thing after another is broken.
 */
import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { findTraces } from "@ferry/qemu";
import { TestGuest, tickerFolder, tickerSpec } from "../harness/guests.js";
import { Hosts } from "../harness/hosts.js";
import { isRunning, signal } from "../harness/processes.js";
import { until } from "../harness/until.js";
import { ferryFor } from "./support/ferry.js";

test("doctor tells what is wrong, sweeps what nobody owns, and is content when all is well", async (t) => {
  const hosts = await Hosts.start({ allowedPaths: [tickerFolder] });
  t.after(() => hosts.close());
  const [one] = hosts.pair;
  const ferry = ferryFor(hosts);
  const doctor = async (...args: string[]) => {
    const { code, out } = await ferry("doctor", ...args).done;
    return { code, out };
  };

  const guest = await TestGuest.start(one, tickerSpec("lonely"), { paused: true });
  assert.deepEqual(await doctor(), {
    code: 0,
    out: "host host-1: nothing is wrong\nhost host-2: nothing is wrong\n",
  });

  // Its keeper dies, and somebody removes its record: only its source agent remembers it.
  const traces = await findTraces({ runDir: one.runDir, cgroups: [] });
  const keeper = traces[0]?.keepers[0]?.identity.pid ?? 0;
  signal(keeper, "SIGKILL");
  await until("its keeper to be gone", () => !isRunning(keeper));
  rmSync(join(one.stateDir, "guests", "lonely"), { recursive: true });
  const found = await doctor();
  assert.equal(found.code, 1);
  assert.match(
    found.out,
    new RegExp(`host-1: 2 findings\n {2}process pid ${guest.qemuPid}: QEMU in`),
  );
  assert.match(found.out, /run directory .*\n {4}next: `ferry doctor --sweep`/);
  assert.ok(isRunning(guest.qemuPid));

  const swept = await doctor("host-1", "--sweep");
  assert.equal(swept.code, 0, swept.out);
  assert.match(swept.out, new RegExp(`swept process pid ${guest.qemuPid} `));
  assert.ok(!isRunning(guest.qemuPid));
  assert.ok(traces[0] !== undefined && !existsSync(traces[0].runDir));

  await one.destination.kill9();
  const broken = await doctor("--json");
  assert.equal(broken.code, 1);
  const lines = broken.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, string>);
  assert.deepEqual(
    lines.map(({ host, kind, subject }) => [host, kind, subject]),
    [
      ["host-1", "guest", "guest lonely"],
      ["host-1", "agent", `destination agent ${one.destination.options.address}`],
    ],
  );
  assert.match(lines[0]?.what ?? "", /is lost/);
  assert.match(lines[1]?.next ?? "", /Check that the agent runs/);

  one.destination.start();
  await one.destination.ready();
  await one.client.guests.stop("lonely");
  assert.equal((await doctor()).code, 0);
});
