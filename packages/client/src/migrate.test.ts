/*
 * Goal: the walk does what docs/controller.md says, whatever the agents answer or fail to answer.
 * Method: two scripted agents on real sockets; every test reads the rows the walk went through. No
 * time is asserted: bounds are short, and scripts wait for what was heard.
 */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { FakeAgents, fault, gate, type Script } from "./fake-agents.js";
import { connectHost, type Host } from "./host.js";
import { type MigrateOptions, migrate } from "./migrate.js";
import { type MigrationEvent, MigrationRefused, type Outcome } from "./outcome.js";

const BOUNDS = {
  beginMs: 2_000,
  connectMs: 1_000,
  prepareMs: 5_000,
  reattachMs: 200,
  abortMs: 200,
  settleMs: 200,
  confirmMs: 200,
  waitMs: 50,
  callMs: 1_000,
  pauseMs: 5,
  pauseMaxMs: 20,
  lookMs: 1_000,
};

const HEALTHY = {
  begin: ["ok"],
  prepare: [["prepared", "phase receiving", "never"]],
  perform: [["bound", "progress", "released"]],
  finish: ["landed"],
  confirm: ["landed"],
} satisfies Script;

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

interface Told {
  agents: FakeAgents;
  events: MigrationEvent[];
  rows: string[];
  outcome: Outcome;
}

async function start(
  script: Script,
  options: Partial<MigrateOptions> & { destination?: string; source?: string } = {},
) {
  const agents = await new FakeAgents(script).listen();
  const from = hostOf(options.source ?? agents.source, agents.destination);
  const to = hostOf(agents.source, options.destination ?? agents.destination);
  cleanups.push(() => agents.close());
  const bounds = { ...BOUNDS, ...options.bounds };
  const run = migrate({ guestId: "vm1", from, to, ...options, bounds });
  const events: MigrationEvent[] = [];
  const holding = gate();
  const read = (async () => {
    for await (const event of run) {
      events.push(event);
      if (event.kind === "holding") holding.open();
    }
  })();
  const rows = () => events.flatMap((event) => (event.kind === "decision" ? [event.row] : []));
  return { agents, run, events, rows, read, holding: holding.opened };
}

function hostOf(source: string, destination: string): Host {
  const host = connectHost({ source, destination, plaintext: true });
  cleanups.push(() => host.close());
  return host;
}

async function walk(...args: Parameters<typeof start>): Promise<Told> {
  const { agents, run, events, rows, read } = await start(...args);
  const outcome = await run.result;
  await read;
  return { agents, events, rows: rows(), outcome };
}

describe("a migration that goes well", () => {
  test("takes the five steps, Finish as soon as the agents have met", async () => {
    const released = gate();
    const script: Script = {
      ...HEALTHY,
      perform: [["bound", "progress", released.opened, "released"]],
      downtimeMs: 12,
    };
    const { agents, run, read, rows, events } = await start(script);
    await agents.times("finish", 1);
    released.open();
    const outcome = await run.result;
    await read;
    assert.equal(outcome.verdict, "landed");
    assert.equal(outcome.guestAt, "destination");
    assert.equal(outcome.settled, true);
    assert.equal(outcome.why, undefined);
    assert.equal(outcome.blackoutMs, 12);
    assert.deepEqual(
      rows().filter((row) => row !== "perform-released"),
      ["begin-ok", "prepare-ok", "perform-bound", "finish-landed", "confirm-landed"],
    );
    assert.deepEqual(
      events.filter(({ kind }) => kind === "progress").map((event) => JSON.stringify(event)),
      [
        '{"kind":"progress","progress":{"transferredBytes":60,"remainingBytes":40,"totalBytes":100,"dirtyBytesPerSecond":1,"transferBytesPerSecond":10,"iteration":1,"ratio":0.6,"etaMs":4000,"expectedDowntimeMs":20}}',
      ],
    );
    assert.equal(events.at(-1)?.kind, "outcome");
  });

  test("holds the tether until the verdict, and names the agents that answered", async () => {
    const { agents } = await walk({
      ...HEALTHY,
      finish: ["pending", "pending", "landed"],
    });
    await agents.tetherCut;
    const [perform] = agents.requests.perform;
    assert.equal(perform?.destinationAgentId, "b/destination");
    assert.equal(perform?.expectedAgentId, "a/source");
    assert.equal(perform?.destinationAddress, agents.destination);
    assert.equal(agents.requests.finish[0]?.expectedAgentId, "b/destination");
    assert.equal(agents.requests.confirm[0]?.expectedAgentId, "a/source");
    assert.equal(agents.heard.indexOf("confirm") > agents.heard.lastIndexOf("finish"), true);
  });

  test("performs as soon as the guest was accepted, and once", async () => {
    const started = gate();
    const { agents, run } = await start({
      ...HEALTHY,
      prepare: [["accepted", started.opened, "prepared", "never"]],
    });
    await agents.times("perform", 1);
    started.open();
    assert.equal((await run.result).verdict, "landed");
    assert.equal(agents.heard.filter((each) => each === "perform").length, 1);
  });

  test("a guest that was accepted and cannot be prepared: aborted at the source", async () => {
    const { agents, rows, outcome } = await walk({
      ...HEALTHY,
      prepare: [["accepted", fault("QEMU_FAILED")]],
      perform: [["never"]],
      abort: ["aborted"],
    });
    assert.ok(rows.includes("prepare-accepted") && rows.includes("prepare-refused"));
    assert.ok(agents.heard.includes("abort"));
    assert.equal(outcome.verdict, "returned");
    assert.equal(outcome.why?.reason, "QEMU_FAILED");
  });

  test("orders the landing by the tether's word, when Perform's never comes", async () => {
    const { agents, outcome } = await walk({ ...HEALTHY, perform: [["never"]] });
    assert.equal(outcome.verdict, "landed");
    assert.ok(agents.heard.includes("finish"));
  });

  test("sends heartbeats on the tether if asked to", async () => {
    const beaten = gate();
    const script: Script = {
      ...HEALTHY,
      finish: [beaten.opened.then(() => "landed")],
    };
    const { agents, run } = await start(script, { heartbeatMs: 100 });
    await agents.times("heartbeat", 2);
    beaten.open();
    await run.result;
    assert.equal(agents.requests.prepare[0]?.message?.$case, "open");
  });

  test("renews the lease while Prepare takes long", async () => {
    const listening = gate();
    const { agents, run } = await start({
      ...HEALTHY,
      leaseMs: 30,
      prepare: [["phase preparing", listening.opened, "prepared", "never"]],
    });
    await agents.times("begin", 3);
    listening.open();
    assert.equal((await run.result).verdict, "landed");
  });
});

describe("answers that ask for a repeat", () => {
  test("Begin, Prepare and Finish are repeated as RetryInfo says", async () => {
    const { rows, outcome } = await walk({
      ...HEALTHY,
      begin: [
        fault("GUEST_BUSY", { retryAfterMs: 1 }),
        fault("STARTING", { retryAfterMs: 1 }),
        "ok",
      ],
      prepare: [[fault("NO_SLOT", { retryAfterMs: 1 })], ["prepared", "never"]],
      finish: [fault("NOT_YET", { retryAfterMs: 1 }), "pending", "landed"],
    });
    assert.equal(outcome.verdict, "landed");
    for (const row of ["begin-again", "prepare-again", "finish-again", "finish-pending"]) {
      assert.ok(rows.includes(row), `${row} in ${rows.join(" ")}`);
    }
  });

  test("one id is used for all of them", async () => {
    const { agents, outcome } = await walk({ ...HEALTHY, begin: ["lose", "lose", "ok"] });
    const ids = new Set(agents.requests.begin.map(({ migrationId }) => migrationId));
    assert.deepEqual([...ids], [outcome.migrationId]);
  });
});

describe("answers that were lost", () => {
  test("Begin's: begun again under the same id", async () => {
    const { rows, outcome } = await walk({ ...HEALTHY, begin: ["lose", "ok"] });
    assert.equal(outcome.verdict, "landed");
    assert.deepEqual(rows.slice(0, 2), ["begin-silence", "begin-ok"]);
  });

  test("Prepare's: abandoned and aborted, never prepared again", async () => {
    const { agents, rows, outcome } = await walk({
      ...HEALTHY,
      prepare: [["lose"]],
      abort: ["aborted"],
      abandon: [fault("MIGRATION_UNKNOWN")],
      confirm: ["returned"],
    });
    assert.deepEqual(rows, [
      "begin-ok",
      "prepare-silence",
      "abort-aborted",
      "abandon-unknown",
      "confirm-returned",
    ]);
    assert.equal(outcome.verdict, "returned");
    assert.equal(outcome.why?.reason, "CONNECTION_LOST");
    assert.equal(agents.heard.filter((each) => each === "prepare").length, 1);
  });

  test("Perform's: attached to again, with the tether held", async () => {
    const { agents, rows, outcome } = await walk({
      ...HEALTHY,
      perform: [["bound", "progress", "lose"], ["end"], ["bound", "released"]],
      finish: ["pending", "pending", "pending", "pending", "pending", "landed"],
    });
    assert.equal(outcome.verdict, "landed");
    assert.ok(rows.includes("perform-silence"));
    assert.ok(agents.requests.perform.length >= 2);
    assert.deepEqual(agents.requests.perform[0], agents.requests.perform[1]);
  });

  test("Finish's: asked again until the verdict comes", async () => {
    const { rows, outcome } = await walk({
      ...HEALTHY,
      finish: ["lose", { code: status.DEADLINE_EXCEEDED }, fault("INTERNAL"), "landed"],
    });
    assert.equal(outcome.verdict, "landed");
    assert.ok(rows.includes("finish-silence"));
  });

  test("Confirm's: asked again until the source is settled", async () => {
    const { rows, outcome } = await walk({ ...HEALTHY, confirm: ["lose", "pending", "landed"] });
    assert.equal(outcome.settled, true);
    assert.deepEqual(rows.slice(-3), ["confirm-silence", "confirm-pending", "confirm-landed"]);
  });

  test("all of Finish's and Confirm's: pending, and nothing is guessed", async () => {
    const { rows, outcome } = await walk({ ...HEALTHY, finish: ["lose"], confirm: ["lose"] });
    assert.equal(outcome.verdict, "pending");
    assert.equal(outcome.guestAt, "unknown");
    assert.equal(outcome.settled, false);
    assert.equal(rows.at(-1), "both-silent");
    assert.match(outcome.next, /do nothing to the guest/);
  });

  test("a destination that lost its disk proves nothing", async () => {
    const { rows, outcome } = await walk({
      ...HEALTHY,
      finish: [fault("MIGRATION_UNKNOWN")],
      confirm: [fault("MIGRATION_UNKNOWN")],
    });
    assert.equal(outcome.verdict, "pending");
    assert.deepEqual(rows.slice(-1), ["both-silent"]);
  });

  test("the source's, after the verdict: landed, not settled", async () => {
    const { rows, outcome } = await walk({ ...HEALTHY, confirm: ["lose"] });
    assert.equal(outcome.verdict, "landed");
    assert.equal(outcome.settled, false);
    assert.equal(rows.at(-1), "confirm-later");
  });
});

describe("a tether that is lost", () => {
  test("before Finish was ordered: aborted, abandoned, the guest is the source's", async () => {
    const { rows, outcome } = await walk({
      ...HEALTHY,
      prepare: [["prepared", "lose"]],
      perform: [["never", new Promise(() => {})]],
      abort: ["underWay"],
      abandon: ["pending", "returned"],
      confirm: ["returned"],
    });
    assert.equal(outcome.verdict, "returned");
    assert.deepEqual(rows.slice(2), [
      "tether-lost",
      "abort-under-way",
      "abandon-pending",
      "abandon-returned",
      "confirm-returned",
    ]);
  });

  test("after Finish was ordered: both sides are asked, Finish(land) is repeated, nothing abandoned", async () => {
    const finished = gate();
    const script: Script = {
      ...HEALTHY,
      prepare: [["prepared", finished.opened, "lose"]],
      finish: ["never", "landed"],
      confirm: ["pending", "landed"],
    };
    const { agents, run, read, rows } = await start(script, {
      bounds: { ...BOUNDS, settleMs: 5_000 },
    });
    await agents.times("finish", 1);
    finished.open();
    const outcome = await run.result;
    await read;
    assert.equal(outcome.verdict, "landed");
    assert.ok(rows().includes("tether-lost-ordered"));
    assert.ok(!agents.heard.includes("abandon") && !agents.heard.includes("abort"));
  });

  test("with a verdict: cause and verdict are believed", async () => {
    const { rows, outcome } = await walk({
      ...HEALTHY,
      prepare: [["prepared", fault("TETHER_CUT", { verdict: "returned", cause: "qemu_died" })]],
      perform: [["bound", new Promise(() => {})]],
      finish: ["pending"],
      confirm: ["returned"],
    });
    assert.equal(outcome.verdict, "returned");
    assert.equal(outcome.why?.cause, "qemu_died");
    assert.ok(rows.includes("tether-returned"));
  });

  test("that ends OK has landed", async () => {
    const { rows, outcome } = await walk({
      ...HEALTHY,
      prepare: [["prepared", "landed", "ok"]],
      finish: ["pending"],
    });
    assert.equal(outcome.verdict, "landed");
    assert.ok(rows.includes("tether-landed"));
  });
});

describe("verdicts", () => {
  test("returned: the source is asked until it has the guest back", async () => {
    const { outcome } = await walk({
      ...HEALTHY,
      finish: ["returned"],
      confirm: ["pending", "returned"],
    });
    assert.equal(outcome.verdict, "returned");
    assert.equal(outcome.guestAt, "source");
    assert.equal(outcome.guestState, "running");
  });

  test("perished: nothing is asked and nothing is started; a person decides", async () => {
    const { agents, rows, outcome } = await walk({ ...HEALTHY, finish: ["perished"] });
    assert.equal(outcome.verdict, "perished");
    assert.equal(outcome.guestAt, "unknown");
    assert.equal(rows.at(-1), "finish-perished");
    assert.ok(!agents.heard.includes("confirm"));
    assert.match(outcome.next, /person/);
  });
});

describe("a copy that fails", () => {
  test("is abandoned on the destination, and its reason is the outcome's", async () => {
    const { rows, outcome } = await walk({
      ...HEALTHY,
      prepare: [["prepared", "never"]],
      perform: [["failed"]],
      abandon: ["returned"],
      confirm: ["returned"],
    });
    assert.deepEqual(rows.slice(2), ["perform-failed", "abandon-returned", "confirm-returned"]);
    assert.equal(outcome.why?.reason, "DESTINATION_LOST");
    assert.equal(outcome.verdict, "returned");
  });

  test("with a destination that never answers again: returned all the same", async () => {
    const { outcome } = await walk({
      ...HEALTHY,
      perform: [["bound", "failed"]],
      finish: ["lose"],
      abandon: ["lose"],
      confirm: ["pending"],
    });
    assert.equal(outcome.verdict, "returned");
    assert.equal(outcome.settled, false);
  });

  test("a Perform that is refused is withdrawn", async () => {
    const { rows, outcome } = await walk({
      ...HEALTHY,
      prepare: [["prepared", "never"]],
      perform: [[fault("WRONG_PEER")]],
      abort: ["aborted"],
      abandon: ["returned"],
      confirm: ["returned"],
    });
    assert.deepEqual(rows.slice(2, 4), ["perform-refused", "abort-aborted"]);
    assert.equal(outcome.why?.reason, "WRONG_PEER");
  });
});

describe("a source that falls silent", () => {
  const SILENT: Script = {
    ...HEALTHY,
    perform: [["bound", "lose"], ["lose"]],
    finish: ["pending"],
    abort: ["lose"],
    abandon: ["returned"],
    confirm: ["lose"],
  };

  test("while the destination receives: given up after the limit", async () => {
    const { rows, outcome } = await walk(SILENT);
    assert.ok(rows.includes("perform-timeout"));
    assert.ok(rows.includes("abort-timeout"));
    assert.equal(outcome.verdict, "returned");
  });

  test("while the destination holds a whole copy: the tether is held, and it is said", async () => {
    const caller = new AbortController();
    const { agents, run, read, rows, events, holding } = await start(
      { ...SILENT, prepare: [["prepared", "phase loadedOrdered", "never"]] },
      { signal: caller.signal },
    );
    await holding;
    await agents.times("perform", agents.requests.perform.length + 3);
    assert.equal(agents.tetherOpen, true);
    assert.ok(rows().includes("perform-hold"));
    assert.ok(!agents.heard.includes("abandon"));
    caller.abort();
    assert.equal((await run.result).verdict, "returned");
    await read;
    assert.equal(events.filter(({ kind }) => kind === "holding").length, 1);
  });

  test("and comes back: the migration goes on", async () => {
    const { outcome } = await walk({
      ...SILENT,
      prepare: [["prepared", "phase loadedOrdered", "never"]],
      perform: [["bound", "lose"], ...Array(30).fill(["lose"]), ["bound", "released"]],
      finish: [...Array(60).fill("pending"), "landed"],
      confirm: ["landed"],
    });
    assert.equal(outcome.verdict, "landed");
  });
});

describe("the caller aborts", () => {
  const ABORTING: Script = {
    ...HEALTHY,
    finish: ["pending"],
    abort: ["aborted"],
    abandon: ["returned"],
    confirm: ["returned"],
  };
  const never = new Promise(() => {});

  async function abortAt(at: string, script: Script): Promise<Told> {
    const caller = new AbortController();
    const { agents, run, events, rows, read } = await start(script, { signal: caller.signal });
    await agents.times(at, 1);
    caller.abort();
    const outcome = await run.result;
    await read;
    return { agents, events, rows: rows(), outcome };
  }

  test("before Begin: nothing is asked", async () => {
    const { agents, run } = await start(ABORTING, { signal: AbortSignal.abort() });
    await assert.rejects(run.result, MigrationRefused);
    assert.deepEqual(agents.heard, []);
  });

  test("during Begin: aborted, nothing prepared", async () => {
    const { agents, rows, outcome } = await abortAt("begin", { ...ABORTING, begin: ["never"] });
    assert.deepEqual(rows, ["caller-abort", "abort-early"]);
    assert.equal(outcome.verdict, "returned");
    assert.equal(outcome.why?.reason, "ABORTED");
    assert.ok(!agents.heard.includes("prepare"));
  });

  test("by its own time limit, while nothing is copied yet", async () => {
    const { rows, outcome } = await walk({ ...ABORTING, prepare: [[never]] }, { timeoutMs: 300 });
    assert.equal(rows[1], "caller-abort");
    assert.equal(outcome.verdict, "returned");
    assert.equal(outcome.why?.reason, "MIGRATION_TIMEOUT");
  });

  test("a time limit is told to the source, the same however often Perform is repeated", async () => {
    const { agents } = await walk(
      {
        ...HEALTHY,
        perform: [
          ["bound", "lose"],
          ["bound", "released"],
        ],
        finish: [...Array<"pending">(20).fill("pending"), "landed"], // Perform is repeated meanwhile
      },
      { timeoutMs: 3_600_000 },
    );
    const [first, again] = agents.requests.perform.map(({ timeoutMs }) => timeoutMs);
    assert.ok(first !== undefined && first > 0 && first <= 3_600_000);
    assert.equal(again, first);
  });

  test("a time limit that cannot be kept is refused before anything is asked", async () => {
    for (const timeoutMs of [0, -5, Number.NaN, 25 * 24 * 3_600_000]) {
      await assert.rejects(start(HEALTHY, { timeoutMs }), /24 days/);
    }
  });

  test("a number that no call could carry is refused before anything is begun", async () => {
    for (const wrong of [
      { downtimeLimitMs: -1 },
      { downtimeLimitMs: Number.NaN },
      { bandwidthBytesPerSecond: -5 },
      { bandwidthBytesPerSecond: Number.POSITIVE_INFINITY },
      { heartbeatMs: 2 ** 32 },
    ]) {
      const [name] = Object.keys(wrong);
      const told = { name: "RangeError", message: new RegExp(`^${name}: 0 to [0-9]+ is wanted`) };
      await assert.rejects(start(HEALTHY, wrong), told);
    }
  });

  test("during Prepare: aborted and abandoned", async () => {
    const { rows, outcome } = await abortAt("prepare", { ...ABORTING, prepare: [[never]] });
    assert.deepEqual(rows, [
      "begin-ok",
      "caller-abort",
      "abort-aborted",
      "abandon-returned",
      "confirm-returned",
    ]);
    assert.equal(outcome.settled, true);
  });

  test("during the copy: aborted, abandoned, confirmed", async () => {
    const { agents, rows, outcome } = await abortAt("finish", {
      ...ABORTING,
      perform: [["bound", never]],
    });
    const last = rows.filter((row) => row !== "withdrawn").slice(-4);
    assert.deepEqual(last, [
      "caller-abort",
      "abort-aborted",
      "abandon-returned",
      "confirm-returned",
    ]);
    assert.equal(outcome.why?.reason, "ABORTED");
    assert.ok(agents.heard.lastIndexOf("finish") < agents.heard.indexOf("abandon"));
  });

  test("too late: the destination's verdict is followed, landed or not", async () => {
    for (const verdict of ["landed", "returned"] as const) {
      const { rows, outcome } = await abortAt("finish", {
        ...ABORTING,
        perform: [["bound", "released"]],
        abort: ["tooLate"],
        abandon: [verdict],
        confirm: [verdict],
      });
      assert.ok(rows.includes("abort-too-late"));
      assert.equal(outcome.verdict, verdict);
    }
  });

  test("after the verdict: nothing changes", async () => {
    const { agents, outcome } = await abortAt("confirm", {
      ...ABORTING,
      finish: ["landed"],
      confirm: ["pending", "landed"],
    });
    assert.equal(outcome.verdict, "landed");
    assert.ok(!agents.heard.includes("abort"));
  });

  test("with both agents silent: it ends within its bounds, and says that nothing is known", async () => {
    const { rows, outcome } = await abortAt("finish", {
      ...ABORTING,
      perform: [["bound", never]],
      abort: ["lose"],
      abandon: ["lose"],
      confirm: ["lose"],
    });
    assert.equal(outcome.verdict, "pending");
    assert.deepEqual(
      rows.filter((row) => row.endsWith("timeout")),
      ["abort-timeout", "abandon-timeout"],
    );
  });
});

describe("refusals", () => {
  test("a guest that is not there rejects, with the fault and what to do", async () => {
    const { run } = await start({ ...HEALTHY, begin: [fault("GUEST_UNKNOWN")] });
    await assert.rejects(run.result, (error: unknown) => {
      assert.ok(error instanceof MigrationRefused);
      assert.equal(error.fault?.reason, "GUEST_UNKNOWN");
      assert.match(error.next, /other hosts/);
      return true;
    });
  });

  test("a source that never answers rejects: nothing was begun", async () => {
    const { run } = await start(
      { ...HEALTHY, begin: ["lose"] },
      { bounds: { ...BOUNDS, beginMs: 50 } },
    );
    await assert.rejects(run.result, { name: "MigrationRefused", row: "begin-timeout" });
  });

  test("a server that is no agent is not asked again", async () => {
    const { agents, run } = await start({ ...HEALTHY, begin: [{ code: status.UNIMPLEMENTED }] });
    await assert.rejects(run.result, { row: "begin-refused" });
    assert.equal(agents.requests.begin.length, 1);
  });

  test("a destination that cannot take it: every blocker, and the lease is given back", async () => {
    const blockers = [
      { reason: "DISK_MISSING", subject: "root", description: "no such file" },
      { reason: "MEMORY_SHORT", subject: "b", description: "1 GiB short" },
    ];
    const { agents, rows, outcome } = await walk({
      ...HEALTHY,
      prepare: [[fault("HOST_UNFIT", { blockers })]],
      abort: ["aborted"],
    });
    assert.deepEqual(rows, ["begin-ok", "prepare-refused", "abort-early"]);
    assert.equal(outcome.verdict, "returned");
    assert.equal(outcome.settled, true);
    assert.deepEqual(outcome.why?.blockers, blockers);
    assert.ok(!agents.heard.includes("abandon"));
  });

  test("a tether somebody else holds is left alone", async () => {
    const { agents, outcome } = await walk({ ...HEALTHY, prepare: [[fault("TETHER_HELD")]] });
    assert.equal(outcome.verdict, "pending");
    const orders = agents.heard.filter((call) => call !== "open");
    assert.deepEqual(orders, ["begin", "prepare"]);
  });

  test("a destination that cannot be reached: nothing was sent there", async () => {
    const { rows, outcome } = await walk(
      { ...HEALTHY, abort: ["aborted"] },
      { destination: "127.0.0.1:1", bounds: { ...BOUNDS, connectMs: 100 } },
    );
    assert.deepEqual(rows, ["begin-ok", "prepare-unreachable", "abort-early"]);
    assert.equal(outcome.why?.reason, "DESTINATION_UNREACHABLE");
  });

  test("a Prepare that never gets there is given up", async () => {
    const { rows, outcome } = await walk(
      {
        ...HEALTHY,
        prepare: [["phase preparing", new Promise(() => {})]],
        abort: ["aborted"],
        abandon: ["returned"],
        confirm: ["returned"],
      },
      { bounds: { ...BOUNDS, prepareMs: 1_500 } },
    );
    assert.equal(rows[1], "prepare-timeout");
    assert.equal(outcome.why?.reason, "TIMEOUT");
  });
});
