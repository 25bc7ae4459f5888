/*
 * Goal: a host on which something is wrong says what and what to do, takes nothing it cannot keep, and
 * hurts no guest. Method: one thing after another is broken for real (ports, QEMU, its monitor, the disk,
 * room for guests) and mended again; the guest stays where it is and ticks.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statfsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { guestRunDirectory } from "@ferry/agent-kit";
import { type FaultRead, Verdict } from "@ferry/contract";
import { TestGuest, tickerSpec } from "../harness/guests.js";
import { signal } from "../harness/processes.js";
import { until } from "../harness/until.js";
import { type Bench, openBench } from "./support/bench-hosts.js";
import { asidePath } from "./support/slow-qemu.js";
import { stagedSpec } from "./support/staging.js";
import { refusal, Steps } from "./support/steps.js";

/** The only two ports guests may arrive at. */
const PORTS = { port_first: 49_201, port_last: 49_202 };

let bench: Bench;
let guest: TestGuest;
before(async () => {
  bench = await openBench({ config: { migration: PORTS, limits: { arrivals_max: 2 } } });
  guest = await TestGuest.start(bench.hosts.pair[0], stagedSpec("settled"));
});
after(() => bench?.close());
afterEach(async () => {
  bench.slow.leave("settled");
  await guest.ticksOn(1);
  await until("nothing of a failed arrival to be left", () => bench.hosts.leftovers().length === 3);
});

function is(fault: FaultRead | undefined, reason: string, says: RegExp): void {
  assert.equal(fault?.reason, reason, fault?.message);
  assert.match(fault.message, says);
  assert.ok((fault.next ?? "").length > 10, "it says what to do");
}

async function begun(guestId = "settled"): Promise<Steps> {
  const [from, to] = bench.hosts.pair;
  const steps = new Steps({ guestId, from, to });
  await steps.begin();
  return steps;
}

/** Takes a port of the second host, as a stranger would. */
async function takePort(port: number): Promise<() => Promise<void>> {
  const [, to] = bench.hosts.pair;
  const script = `require("net").createServer().listen(${port}, ${JSON.stringify(to.address)}, () => console.log("taken"))`;
  const [program = "", ...args] = bench.hosts.network.inside(to, [process.execPath, "-e", script]);
  const stranger = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  await once(stranger.stdout, "data");
  return async () => {
    stranger.kill("SIGKILL");
    await once(stranger, "exit");
  };
}

test("a port that a stranger has is passed over; when all are taken, that is said", async () => {
  const giveBack = [await takePort(PORTS.port_first)];
  const one = await begun();
  const tether = bench.keep(one.prepare());
  await tether.ready();
  tether.cancel();
  await one.arrivalIn("returned");
  await one.abort();
  giveBack.push(await takePort(PORTS.port_last));
  const other = await begun();
  is(await other.prepare().fault(), "HOST_UNFIT", /no port is free .* widen migration\.port_first/);
  await other.abort();
  for (const each of giveBack) await each();
  const mended = await begun();
  const again = bench.keep(mended.prepare());
  await again.ready();
  again.cancel();
  await mended.arrivalIn("returned");
  await mended.abort();
});

test("a QEMU that exits at once leaves its last words", async () => {
  bench.slow.refuseStart("settled");
  const steps = await begun();
  is(await steps.prepare().fault(), "QEMU_FAILED", /exited with code 1.*no such luck/);
  assert.equal(Verdict[(await steps.abandon()).verdict], "RETURNED");
  await steps.abort();
});

test("a QEMU that lacks something of its host has the caller choose another, and says what is to be mended", async () => {
  bench.slow.refuseStart("settled", "cannot set up guest memory 'pc.ram': Cannot allocate memory");
  const steps = await begun();
  const fault = await steps.prepare().fault();
  is(fault, "HOST_UNFIT", /exited with code 1.*Cannot allocate memory/);
  assert.deepEqual(
    fault?.blockers.map(({ reason, subject }) => [reason, subject]),
    [["MEMORY_SHORT", "settled"]],
  );
  assert.equal(Verdict[(await steps.abandon()).verdict], "RETURNED");
  await steps.abort();
});

for (const [what, says] of [
  ["hello, I am no QEMU\n", "not QMP"],
  ['{"QMP": {"version": {}}\n', "not QMP"],
  ["x".repeat(20_000_000), "line|not QMP"],
] as const) {
  test(`a monitor that talks rubbish (${JSON.stringify(what.slice(0, 12))}…) is not believed`, async () => {
    bench.slow.setAside("settled", "destination.qmp");
    const steps = await begun();
    const tether = steps.prepare();
    const path = join(guestRunDirectory(steps.to.runDir, steps.migrationId), "destination.qmp");
    const rubbish = createServer((socket) => {
      socket.on("error", () => {});
      socket.end(what);
    });
    await until("QEMU to listen aside", () => existsSync(asidePath(path)));
    rubbish.listen(path);
    is(await tether.fault(), "QEMU_FAILED", new RegExp(says));
    rubbish.close();
    await steps.abort();
  });
}

test("a guest's QEMU that does not answer is not moved, and says so", async () => {
  signal(guest.qemuPid, "SIGSTOP");
  const [from, to] = bench.hosts.pair;
  const steps = new Steps({ guestId: "settled", from, to });
  is(await refusal(steps.begin()), "GUEST_UNFIT", /does not answer/);
  signal(guest.qemuPid, "SIGCONT");
  await (await begun()).abort();
});

test("a host that is full says so, and when to come again", async () => {
  const [from, to] = bench.hosts.pair;
  const held = await Promise.all(
    ["first", "second"].map(async (guestId) => {
      await TestGuest.start(from, stagedSpec(guestId));
      const steps = await begun(guestId);
      const tether = bench.keep(steps.prepare());
      await tether.ready();
      return { steps, tether };
    }),
  );
  const third = await begun();
  const fault = await third.prepare().fault();
  // Both ports are taken by then, too.
  assert.deepEqual(
    new Set(fault?.blockers.map(({ reason }) => reason)),
    new Set(["NO_SLOT", "NO_PORT"]),
  );
  await third.abort();
  for (const { steps, tether } of held) {
    tether.cancel();
    await steps.arrivalIn("returned");
    await steps.abort();
    await from.client.guests.stop(steps.guestId, { graceMs: 0 });
  }
  const vast = await begun();
  const spec = vast.description?.spec;
  if (spec === undefined || vast.description === undefined) throw new Error("not described");
  const description = { ...vast.description, spec: { ...spec, memoryBytes: 2n ** 45n } };
  is(
    await vast.prepare({ description }).fault(),
    "NO_MEMORY",
    /MEMORY_SHORT: the guest wants \d+ bytes/,
  );
  await vast.abort();
  assert.deepEqual(await to.client.guests.list(), []);
});

test("an agent that runs out of descriptors says so, holds on, and takes guests once it has some", async () => {
  const [, to] = bench.hosts.pair;
  const { pid } = to.destination;
  const limit = (soft: number) =>
    execFileSync("prlimit", [`--pid=${pid}`, `--nofile=${soft}:`], { stdio: "inherit" });
  const usual = Number(
    execFileSync("prlimit", [`--pid=${pid}`, "--nofile", "--noheadings", "--output=SOFT"]),
  );
  // More and more of what a guest takes fits: its log, its keeper's line, its monitor, its record.
  for (let free = 0; free <= 12; free += 1) {
    const steps = await begun();
    limit(readdirSync(`/proc/${pid}/fd`).length + free);
    const tether = bench.keep(steps.prepare());
    try {
      await tether.ready();
      tether.cancel();
    } catch {
      const { reason, message } = (await tether.fault()) ?? {};
      // No reason: not even its connection was let in.
      assert.match(reason ?? "", /^(|HOST_EXHAUSTED|QEMU_FAILED)$/, message);
    } finally {
      limit(usual);
    }
    assert.equal(to.destination.pid, pid);
    await steps.abort();
    await until("nothing of it to be left", () => bench.hosts.leftovers().length === 3);
  }
  const mended = await begun();
  const tether = bench.keep(mended.prepare());
  await tether.ready();
  tether.cancel();
  await mended.arrivalIn("returned");
  await mended.abort();
});

const skip = process.getuid?.() === 0 ? false : "mounting a small disk needs root";
test("a full disk takes no new work, and what is there runs on", { skip }, async () => {
  const [from, to] = bench.hosts.pair;
  for (const host of [from, to]) {
    await Promise.all([host.source.stop(), host.destination.stop()]);
    const keep = join(host.stateDir, "..", "keep");
    execFileSync("cp", ["-a", host.stateDir, keep]);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", host.stateDir]);
    execFileSync("cp", ["-a", `${keep}/.`, host.stateDir]);
    for (const agent of [host.source, host.destination]) agent.start();
    await Promise.all([host.source.ready(), host.destination.ready()]);
  }
  try {
    const full = [from, to].map(({ stateDir }) => fill(stateDir));
    const steps = await begun();
    is(await steps.prepare().fault(), "HOST_UNFIT", /cannot write .* \(ENOSPC\): free some space/);
    await steps.abort();
    const start = await refusal(from.client.guests.start(stagedSpec("late")));
    is(start, "STATE_DIRECTORY_FULL", /state directory cannot be written/);

    full[1]?.();
    const again = await begun();
    const tether = bench.keep(again.prepare());
    await tether.ready();
    const view = again.perform();
    await view.ended;
    const { event } = view.said("failed") ?? {};
    assert.match(JSON.stringify(event), /STATE_DIRECTORY_UNWRITABLE/, "the source cannot write");
    const { verdict, settled } = await again.confirm(60_000);
    assert.deepEqual([Verdict[verdict], settled], ["RETURNED", true]);
    tether.cancel();
    await again.arrivalIn("returned");
    await guest.ticksOn();
    full[0]?.();
    const mended = await begun();
    const held = bench.keep(mended.prepare());
    await held.ready();
    held.cancel();
    await mended.arrivalIn("returned");
    await mended.abort();
  } finally {
    for (const host of [from, to]) {
      await Promise.all([host.source.stop(), host.destination.stop()]);
      const keep = join(host.stateDir, "..", "keep");
      execFileSync("rm", ["-rf", keep]);
      execFileSync("cp", ["-a", host.stateDir, keep]);
      execFileSync("umount", [host.stateDir]);
      execFileSync("cp", ["-a", `${keep}/.`, host.stateDir]);
      for (const agent of [host.source, host.destination]) agent.start();
      await Promise.all([host.source.ready(), host.destination.ready()]);
    }
  }
});

/** Leaves no byte on that disk. Gives the way to make room. */
function fill(dir: string): () => void {
  const path = join(dir, "filler");
  const { bsize, bfree } = statfsSync(dir);
  writeFileSync(path, Buffer.alloc(bsize * bfree));
  return () => execFileSync("rm", ["-f", path]);
}

const AGENTS = ["source", "destination"] as const;
const mainOf = (role: string) =>
  fileURLToPath(new URL(`../../../services/${role}-agent/dist/main.cjs`, import.meta.url));

/** Starts one more agent with a changed configuration, and gives how it ended. */
function startAnother(
  role: (typeof AGENTS)[number],
  change: object,
): { status: number | null; said: string } {
  const [one] = bench.hosts.pair;
  const config = JSON.parse(readFileSync(one[role].options.configPath, "utf8"));
  const path = join(bench.hosts.dir, `another-${role}.yaml`);
  writeFileSync(
    path,
    JSON.stringify({
      ...config,
      listen: "127.0.0.1:0",
      metrics_listen: "127.0.0.1:0",
      health_listen: "off",
      ...change,
    }),
  );
  const { status, stderr } = spawnSync(process.execPath, [mainOf(role), "--config", path], {
    encoding: "utf8",
    timeout: 60_000,
  });
  return { status, said: stderr };
}

for (const role of AGENTS) {
  test(`a second ${role} agent on one state directory does not start, and says who has it`, () => {
    const { status, said } = startAnother(role, {});
    assert.equal(status, 2, said);
    assert.match(said, /in use|another .* agent/i);
  });

  test(`a ${role} agent with something else for a QEMU does not start, and says so`, () => {
    const dir = join(bench.hosts.dir, `other-${role}`);
    const change = { state_dir: dir, run_dir: `${dir}r`, qemu: { binary: "/bin/false" } };
    const { status, said } = startAnother(role, change);
    assert.equal(status, 2, said);
    assert.match(said, /\/bin\/false/);
  });
}

test("a guest of another machine type than the host's QEMU has is refused with what it has", async () => {
  const fault = await refusal(
    bench.hosts.pair[0].client.guests.start({ ...tickerSpec("odd"), machineType: "pc-q35-99.9" }),
  );
  is(fault, "HOST_UNFIT", /does not know machine type pc-q35-99\.9/);
});
