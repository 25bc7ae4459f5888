/*
 * Goal: a controller that nobody here wrote a library for moves a guest, and its death is noticed like
 * anybody's. Method: the reference controller on Debian's gRPC for Python (the C core), with stubs
 * generated from the contract as it is now.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { TestGuest, tickerFolder, tickerSpec } from "../harness/guests.js";
import { Hosts, type TestHost } from "../harness/hosts.js";
import { until } from "../harness/until.js";

const PYTHON = "/usr/bin/python3"; // Debian's own: that is where its gRPC is
const root = fileURLToPath(new URL("../../../", import.meta.url));
const controller = join(root, "test/python/reference_controller.py");

let hosts: Hosts;
let stubs: string;
before(async () => {
  hosts = await Hosts.start({ patient: true, allowedPaths: [tickerFolder] });
  stubs = generateStubs(hosts.dir);
});
after(() => hosts.close());

for (const transport of ["direct", "tunnel"] as const) {
  test(`the reference controller moves a guest over ${transport}`, async (t) => {
    const [one, two] = hosts.pair;
    const guestId = `python-${transport}`;
    const guest = await TestGuest.start(
      one,
      tickerSpec(guestId, { ram: 16, dirty: 16, check: 512 }),
    );
    await guest.ticksOn();
    const run = control(t, guestId, [one, two], ["--transport", transport]);
    assert.equal(await run.ended, 0, run.said());
    assert.match(run.said(), /prepared host-2.*bound.*released.*VERDICT_LANDED.*settled/s);
    await guest.livesAt(two);
    await guest.memoryIsWhole();
    await two.client.guests.stop(guestId, { graceMs: 0 });
    assert.deepEqual(hosts.leftovers(), []);
  });
}

test("a destination that refuses is told, and the guest's lease is given back", async (t) => {
  const [one] = hosts.pair;
  const guest = await TestGuest.start(one, tickerSpec("python-home"));
  const run = control(t, "python-home", [one, one]);
  assert.notEqual(await run.ended, 0);
  assert.match(run.said(), /SAME_HOST/);
  await guest.ticksOn();
  await one.client.guests.stop("python-home", { graceMs: 0 });
  assert.deepEqual(hosts.leftovers(), []);
});

test("killed in the middle of the copy, it leaves the guest at home", async (t) => {
  const [one, two] = hosts.pair;
  // More is written than the copy carries, so that it does not end by itself.
  const busy = tickerSpec("python-busy", { ram: 48, dirty: 4_000, check: 0, hz: 50 });
  const guest = await TestGuest.start(one, busy);
  await guest.ticksOn();
  const run = control(t, "python-busy", [one, two]);
  await until("progress", () => /perform progress/.test(run.said()), 60_000);
  run.process.kill("SIGKILL");
  await until("the guest to be let go of", async () => {
    const { migrationId, qemuState } = await guest.livesAt(one);
    return migrationId === "" && qemuState === "running";
  });
  await guest.ticksOn();
  await one.client.guests.stop("python-busy", { graceMs: 0 });
  await until("nothing to be left", () => hosts.leftovers().length === 0);
});

function control(
  t: TestContext,
  guestId: string,
  [from, to]: readonly [TestHost, TestHost],
  more: readonly string[] = [],
): { process: ChildProcess; ended: Promise<number | null>; said(): string } {
  const addresses = ["--source", `${from.address}:7701`, "--destination", `${to.address}:7702`];
  const args = [controller, "--stubs", stubs, ...addresses, "--guest", guestId, ...more];
  const process = spawn(PYTHON, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("data", (chunk) => {
      said += chunk;
    });
  }
  t.after(() => process.kill("SIGKILL"));
  const ended = once(process, "close").then(([code]) => code as number | null);
  return { process, ended, said: () => said };
}

/** As the controller's own first lines say. */
function generateStubs(dir: string): string {
  const out = join(dir, "stubs");
  mkdirSync(out);
  const protos = readdirSync(join(root, "proto/ferry/v1")).map((name) => `proto/ferry/v1/${name}`);
  const outs = ["--python_out", out, "--grpc_python_out", out];
  execFileSync(PYTHON, ["-m", "grpc_tools.protoc", "-I", "proto", ...outs, ...protos], {
    cwd: root,
  });
  return out;
}
