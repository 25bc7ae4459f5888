/*
 * Goal: whatever agents answer, a drain tries again where that may help, leaves alone what nobody knows
 * about, and does as it is told meanwhile. Method: scripted agents on real sockets; b and c are targets.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { FakeAgents, fault, type Script } from "../fake-agents.js";
import { connectHost } from "../host.js";
import { type DrainOptions, type DrainRun, drain } from "./drain.js";
import type { DrainEvent, DrainReport } from "./words.js";

const cleanups: (() => void)[] = [];
after(() => {
  for (const cleanup of cleanups) cleanup();
});

const VALIDATED = ["validated", "ok"] as const;
const PREPARED = ["prepared", "never"] as const;
/** The source's half of a move that lands. */
const LEAVES = {
  guests: ["vm1"],
  begin: ["ok"],
  perform: [["bound", "released"]],
  abort: ["aborted"],
  confirm: ["landed"],
} satisfies Script;

interface Rig {
  readonly a: FakeAgents;
  readonly there: readonly FakeAgents[];
  readonly options: DrainOptions;
}

/** A host with those answers, and targets with those. */
async function rig(source: Script, targets: Readonly<Record<string, Script>>): Promise<Rig> {
  const a = await new FakeAgents(source).listen();
  const targeted = await Promise.all(
    Object.entries(targets).map(async ([name, script]) => {
      const agents = await new FakeAgents(script).listen();
      const { source: there, destination } = agents;
      const host = connectHost({ source: there, destination, plaintext: true });
      cleanups.push(
        () => host.close(),
        () => agents.close(),
      );
      return { agents, target: { name, host } };
    }),
  );
  const host = connectHost({ source: a.source, destination: a.destination, plaintext: true });
  cleanups.push(
    () => host.close(),
    () => a.close(),
  );
  const there = targeted.map(({ agents }) => agents);
  const to = targeted.map(({ target }) => target);
  return { a, there, options: { from: { name: "a", host }, to } };
}

/** Runs it to its end. A guest that has landed does not live on a any more. */
async function run(
  { a, options }: Rig,
  more: Partial<DrainOptions> = {},
  hear: (event: DrainEvent, work: DrainRun) => void = () => {},
  begun: (work: DrainRun) => void = () => {},
): Promise<{ report: DrainReport; events: DrainEvent[] }> {
  const work = drain({ ...options, ...more });
  begun(work);
  const events: DrainEvent[] = [];
  for await (const event of work) {
    events.push(event);
    if (event.kind === "moved") {
      const { guests = [] } = a.script;
      guests.splice(guests.indexOf(event.moved.guestId), 1);
    }
    hear(event, work);
  }
  return { report: await work.result, events };
}

const kinds = (events: readonly DrainEvent[]) =>
  events.flatMap(({ kind }) => (kind === "progress" ? [] : kind));

test("sends heartbeats on each tether if asked to", async () => {
  let beaten = () => {};
  const landed = new Promise<"landed">((resolve) => {
    beaten = () => resolve("landed");
  });
  const takes = { prepare: [[...VALIDATED], [...PREPARED]], finish: [landed] } satisfies Script;
  const all = await rig({ ...LEAVES, guests: ["vm1"] }, { b: takes });
  void all.there[0]?.times("heartbeat", 2).then(beaten);
  const { report } = await run(all, { heartbeatMs: 100 });
  assert.equal(report.moved.length, 1);
});

test("what one target refuses goes to the other", async () => {
  const refuses = { prepare: [[...VALIDATED], [fault("HOST_UNFIT")]] } satisfies Script;
  const takes = { prepare: [[...VALIDATED], [...PREPARED]], finish: ["landed"] } satisfies Script;
  const all = await rig({ ...LEAVES, guests: ["vm1"] }, { b: refuses, c: takes });
  const { report, events } = await run(all);
  assert.deepEqual(kinds(events), ["plan", "started", "retry", "started", "moved", "report"]);
  const [moved] = report.moved;
  assert.deepEqual([moved?.to, moved?.tries, report.empty], ["c", 2, true]);
});

test("a guest that every target refuses is left, with what each of them said", async () => {
  const refuses = { prepare: [[...VALIDATED], [fault("NO_MEMORY")]] } satisfies Script;
  const source = { ...LEAVES, guests: ["vm1"], confirm: ["returned"] } satisfies Script;
  const all = await rig(source, {
    b: { ...refuses, abandon: ["returned"] },
    c: { ...refuses, abandon: ["returned"] },
  });
  const { report } = await run(all);
  assert.deepEqual([report.moved.length, report.empty], [0, false]);
  const [left] = report.left;
  assert.equal(left?.reason, "failed");
  assert.deepEqual(
    left?.obstacles.map(({ host, blocker }) => `${host} ${blocker.reason}`),
    ["b NO_MEMORY", "c NO_MEMORY"],
  );
});

for (const verdict of ["perished", "returned"] as const) {
  test(`a guest that is ${verdict} is ${verdict === "perished" ? "touched no more" : "tried again"}`, async () => {
    const there = {
      prepare: [[...VALIDATED], [...PREPARED]],
      finish: [verdict],
      abandon: [verdict],
    } satisfies Script;
    const source = { ...LEAVES, guests: ["vm1"], perform: [["bound", "never"]] } satisfies Script;
    const all = await rig({ ...source, confirm: [verdict] }, { b: there });
    const { report } = await run(all, {}, (event, work) => {
      if (event.kind === "retry") work.end(); // its pauses are not what is tested
    });
    const [left] = report.left;
    const wanted = verdict === "perished" ? "perished" : "ended";
    assert.deepEqual([left?.guestId, left?.reason], ["vm1", wanted]);
    if (verdict === "perished") assert.match(report.next.join(), /Decide about vm1 yourself/);
  });
}

test("a guest that another migration holds is waited for", async () => {
  const busy = fault("GUEST_BUSY", { retryAfterMs: 2_100 }); // longer than Begin is repeated
  const there = { prepare: [[...VALIDATED], [...PREPARED]], finish: ["landed"] } satisfies Script;
  const source = { ...LEAVES, guests: ["vm1"], begin: ["ok", busy, "ok"] } satisfies Script;
  const { report } = await run(await rig(source, { b: there }), { bounds: { beginMs: 2_000 } });
  assert.deepEqual([report.moved[0]?.tries, report.empty], [1, true], "waiting is no try");
});

test("patience ends, and the guest is left with what it waited for", async () => {
  const busy = fault("GUEST_BUSY", { retryAfterMs: 60_000 });
  const source = { ...LEAVES, guests: ["vm1"], begin: ["ok", busy] } satisfies Script;
  const all = await rig(source, { b: { prepare: [[...VALIDATED]] } });
  const { report } = await run(all, { patienceMs: 1_000 });
  assert.equal(report.left[0]?.reason, "failed");
  assert.equal(report.left[0]?.obstacles[0]?.blocker.reason, "GUEST_BUSY");
});

test("a guest that is gone by the time of its turn is none that is left", async () => {
  const source = {
    ...LEAVES,
    guests: ["vm1"],
    begin: ["ok", fault("GUEST_UNKNOWN")],
  } satisfies Script;
  const all = await rig(source, { b: { prepare: [[...VALIDATED]] } });
  const { report } = await run(all, {}, (event) => {
    if (event.kind === "gone") all.a.script.guests?.pop();
  });
  assert.deepEqual([report.gone, report.left, report.empty], [["vm1"], [], true]);
});

test("paused, nothing begins; resumed, it goes on; ended while paused, everybody stays", async () => {
  const there = { prepare: [[...VALIDATED], [...PREPARED]], finish: ["landed"] } satisfies Script;
  for (const then of ["resume", "end"] as const) {
    const all = await rig({ ...LEAVES, guests: ["vm1"] }, { b: there });
    const goOn = (event: DrainEvent, work: DrainRun) => {
      if (event.kind !== "plan") return;
      assert.equal(work.state, "paused");
      work[then]();
    };
    const { report, events } = await run(all, {}, goOn, (work) => work.pause());
    const started = kinds(events).indexOf("started");
    if (then === "end") assert.deepEqual([started, report.left[0]?.reason], [-1, "ended"]);
    else assert.equal(report.empty, true);
  }
});

test("a signal that was given before aborts before anything begins", async () => {
  const all = await rig({ ...LEAVES, guests: ["vm1"] }, { b: { prepare: [[...VALIDATED]] } });
  const { report } = await run(all, { signal: AbortSignal.abort() });
  assert.deepEqual([report.left[0]?.reason, report.empty], ["ended", false]);
  assert.deepEqual(all.a.heard, ["begin"], "it was asked about, and nothing else");
});

test("a host that would not say what lives there rejects plan and result", async () => {
  const { options } = await rig({ ...LEAVES, begin: [fault("FORBIDDEN")] }, { b: {} });
  const from = {
    name: "a",
    host: connectHost({ source: "127.0.0.1:1", destination: "127.0.0.1:1", plaintext: true }),
  };
  cleanups.push(() => from.host.close());
  const work = drain({ ...options, from });
  work.end(); // it need not be patient
  await assert.rejects(work.result);
  await assert.rejects(work.plan);
});

test("options that make no sense are refused at once", async () => {
  const { options } = await rig(LEAVES, { b: {} });
  const [b] = options.to;
  assert.ok(b !== undefined);
  for (const wrong of [{ to: [] }, { to: [b, b] }, { to: [options.from] }, { parallel: 0.5 }]) {
    assert.throws(() => drain({ ...options, ...wrong }), RangeError);
  }
});
