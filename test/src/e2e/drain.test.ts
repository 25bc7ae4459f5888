/*
 * Goal: one command empties a host; whatever fails, every guest runs on somewhere, and what was left is
 * told with its reason. Method: the command and the library against real hosts and guests. The first
 * host is emptied again and again; the fourth takes nobody.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import {
  type DrainEvent,
  type DrainOptions,
  type DrainReport,
  type DrainRun,
  drain,
  listMigrations,
  planOf,
} from "@ferry/client";
import { TestGuest, tickerFolder, tickerSpec } from "../harness/guests.js";
import { Hosts, type TestHost } from "../harness/hosts.js";
import { isRunning, signal } from "../harness/processes.js";
import { until } from "../harness/until.js";
import { ferryFor } from "./support/ferry.js";
import { Steps } from "./support/steps.js";

const NAMES = ["g1", "g2", "g3", "g4"];
/** Of all copies together: no copy ends while a test looks, in bytes per second. */
const NARROW = 32 * 1024;

let hosts: Hosts;
let ferry: ReturnType<typeof ferryFor>;
const guests = new Map<string, TestGuest>();

before(async () => {
  hosts = await Hosts.start({
    count: 4,
    patient: true,
    allowedPaths: [tickerFolder],
    config: { limits: { memory_reserve_bytes: 16 * 1024 * 1024, arrivals_max: 3 } },
    configOf: { "host-4": { qemu: { accelerator: "tcg", allowed_paths: ["/nowhere"] } } },
  });
  ferry = ferryFor(hosts);
  for (const name of NAMES) guests.set(name, await TestGuest.start(host(1), spec(name)));
});
after(() => hosts?.close());
afterEach(home);

function spec(name: string) {
  return tickerSpec(name, { hz: 19, ram: 8, check: 16, memoryMib: 32 });
}

function host(number: number): TestHost {
  const found = hosts.all[number - 1];
  if (found === undefined) throw new Error(`no host ${number}`);
  return found;
}

const named = (number: number) => ({ name: host(number).name, host: host(number).client });

/** Where each guest lives: exactly one host has it, or this throws. */
async function homes(names: Iterable<string> = guests.keys()): Promise<Record<string, TestHost>> {
  const found: Record<string, TestHost> = {};
  for (const each of hosts.all) {
    for (const { guestId } of await each.client.guests.list()) {
      assert.equal(found[guestId]?.name, undefined, `${guestId} lives twice`);
      found[guestId] = each;
    }
  }
  for (const name of names) assert.ok(found[name] !== undefined, `${name} is lost`);
  return found;
}

/** Every guest ticks on, wherever it lives, and its consoles say that it never broke. */
async function allTick(): Promise<Record<string, TestHost>> {
  const found = await homes();
  for (const [name, guest] of guests) {
    await guest.livesAt(found[name] as TestHost); // homes() has looked
    await guest.ticksOn(2);
  }
  return found;
}

/** After each test everybody goes back to the first host, by a drain of the others. */
async function home(): Promise<void> {
  for (const number of [2, 3]) {
    const { empty, left } = await drain({ from: named(number), to: [named(1)], parallel: 4 })
      .result;
    assert.ok(empty, JSON.stringify(left));
  }
  await until("nothing but the guests to be left", () => {
    return hosts.leftovers().length === guests.size * 3; // keeper, QEMU, run directory
  });
  await allTick();
}

/** Runs a drain of the first host; `hear` is told of everything. */
async function emptied(
  options: Partial<DrainOptions>,
  hear: (event: DrainEvent, run: DrainRun) => unknown = () => {},
): Promise<{ report: DrainReport; events: DrainEvent[] }> {
  const run = drain({ from: named(1), to: [named(2), named(3)], ...options });
  const events: DrainEvent[] = [];
  for await (const event of run) {
    events.push(event);
    await hear(event, run);
  }
  return { report: await run.result, events };
}

const of = <K extends DrainEvent["kind"]>(events: readonly DrainEvent[], kind: K) =>
  events.filter((event): event is Extract<DrainEvent, { kind: K }> => event.kind === kind);

test("the command plans, then empties the host; what cannot move is left and told with its reasons", async (t) => {
  const lost = await TestGuest.start(host(1), spec("lost"));
  t.after(() => host(1).client.guests.stop("lost"));
  signal(lost.qemuPid, "SIGKILL");
  await until("its QEMU to be gone", () => !isRunning(lost.qemuPid));

  const to = ["--to", "host-2", "host-3", "host-4"];
  const dry = await ferry("drain", "host-1", ...to, "--dry-run").done;
  assert.equal(dry.code, 6, dry.err);
  assert.match(dry.out, /4 guests of host-1 would move, 2 at once, in about .*; 1 would stay/);
  assert.match(dry.out, /lost stays on host-1: .*\n {2}host-1: GUEST_NOT_RUNNING \(lost\)/);
  const plan = await planOf({ from: named(1), to: [named(2), named(3), named(4)] });
  assert.deepEqual(
    plan.moves.map(({ guestId }) => guestId),
    NAMES,
  );
  assert.ok(
    plan.moves.every(({ to, others }) => to !== "host-4" && !others.includes("host-4")),
    "host-4 takes nobody",
  );
  const before = await homes();
  assert.ok(
    NAMES.every((name) => before[name] === host(1)),
    "a dry run moves nothing",
  );

  const ran = await ferry("drain", "host-1", ...to, "--parallel", "3", "--json").done;
  assert.equal(ran.code, 3, ran.err);
  const events = ran.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as DrainEvent);
  const [report] = of(events, "report").map((event) => event.report);
  assert.deepEqual(report?.moved.map(({ guestId }) => guestId).sort(), NAMES);
  assert.deepEqual(
    report?.left.map(({ guestId, reason }) => [guestId, reason]),
    [["lost", "blocked"]],
  );
  assert.ok(
    report.moved.every(({ blackoutMs, state }) => blackoutMs !== undefined && state === "running"),
  );
  assert.equal(report.empty, false);
  const found = await allTick();
  const used = new Set(NAMES.map((name) => found[name]?.name));
  assert.deepEqual([...used].sort(), ["host-2", "host-3"]);

  await host(1).client.guests.stop("lost");
  const again = await ferry("drain", "host-1", ...to).done;
  assert.deepEqual([again.code, /host-1 is empty: 0 guests moved/.test(again.out)], [0, true]);
});

test("Ctrl-C once begins no more moves, twice ends those under way; draining again goes on", async () => {
  const args = ["drain", "host-1", "--to", "host-2", "host-3"];
  const running = ferry(...args, "--bandwidth", `${NARROW / 1024}KiB/s`);
  await running.says("g2 → ");
  const source = host(1).client.source;
  await until("two guests to be copied", async () => {
    const migrations = await listMigrations(source);
    return (
      migrations.filter(({ settled, phase }) => !settled && phase === "performing").length === 2
    );
  });
  running.child.kill("SIGTSTP");
  await running.says("paused");
  running.child.kill("SIGCONT");
  await running.says("resumed");
  running.child.kill("SIGINT");
  await running.says("ending: no more moves begin");
  running.child.kill("SIGINT");
  const { code, out } = await running.done;
  assert.equal(code, 3, out);
  assert.match(out, /host-1 is not empty: 0 guests moved/);
  assert.match(out, /next: Drain again/);
  const found = await allTick();
  assert.ok(NAMES.every((name) => found[name] === host(1)));

  const again = await ferry(...args, "--except", "g4").done;
  assert.equal(again.code, 0, again.err);
  assert.match(again.out, /next: g4: on host-1 as you wished/);
  assert.equal((await allTick()).g4, host(1));
});

test("a target dies midway: what has landed there runs on, the others go elsewhere, nobody is lost", async () => {
  let died: Promise<unknown> | undefined;
  const { report, events } = await emptied(
    { parallel: 2, bandwidthBytesPerSecond: 2 * 2 ** 20 },
    (event) => {
      if (event.kind !== "progress" || died !== undefined) return;
      if (!event.progress.moving.some(({ to, ratio }) => to === "host-3" && ratio > 0)) return;
      died = Promise.all([host(3).destination.kill9(), host(3).source.kill9()]);
    },
  );
  await died;
  assert.ok(died !== undefined, "nothing was on its way there");
  assert.ok(
    of(events, "retry").some(({ to }) => to === "host-3"),
    JSON.stringify(of(events, "retry")),
  );
  assert.deepEqual(report.moved.map(({ guestId }) => guestId).sort(), NAMES);
  assert.deepEqual([report.left, report.empty], [[], true]);
  for (const agent of [host(3).source, host(3).destination]) {
    agent.start();
    await agent.ready();
  }
  await allTick();
});

test("a full target is waited for, and guests that come meanwhile are moved too", async () => {
  // Somebody else's arrivals take every slot of the only target.
  const others: Steps[] = [];
  const held: { close(): void }[] = [];
  const slots = 3;
  for (let index = 0; index < slots; index += 1) {
    const name = `other-${index}`;
    await TestGuest.start(host(3), spec(name));
    const steps = new Steps({ guestId: name, from: host(3), to: host(2) });
    await steps.begin();
    const tether = steps.prepare();
    await tether.ready();
    held.push(tether);
    others.push(steps);
  }
  let late: TestGuest | undefined;
  const { report, events } = await emptied(
    { to: [named(2)], bounds: { prepareMs: 4_000 } },
    async (event) => {
      if (event.kind === "retry") for (const tether of held.splice(0)) tether.close();
      if (event.kind !== "moved" || late !== undefined) return;
      late = await TestGuest.start(host(1), spec("late"));
      guests.set("late", late);
    },
  );
  for (const steps of others) {
    await steps.abort();
    await host(3).client.guests.stop(steps.guestId, { graceMs: 0 });
  }
  assert.ok(of(events, "retry").some(({ reason }) => reason === "NO_SLOT"));
  assert.deepEqual(report.moved.map(({ guestId }) => guestId).sort(), [...NAMES, "late"]);
  assert.equal(report.empty, true, JSON.stringify(report));
  await allTick();
});
