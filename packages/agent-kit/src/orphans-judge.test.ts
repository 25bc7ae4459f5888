/*
 * Goal: only what is provably nobody's, and holds nothing anybody could miss, may be removed. Method:
 * every combination of what can be seen of a QEMU, and the one that may be killed among them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Trace } from "@ferry/qemu";
import { type Circumstances, judge, settled, YOUNG_MS } from "./orphans-judge.js";
import type { EndingRecord } from "./records.js";

const NAME = "0123456789abcde";
const RUN_DIR = `/run/ferry/${NAME}`;
const OLD = YOUNG_MS;
const identity = { pid: 42, startTime: "7", bootId: "b" };
const place = (path: string, ageMs: number) => ({ path, stamp: "1", ageMs });
const qemu = (atHome = true) => ({ kind: "qemu" as const, name: NAME, identity, atHome });
const keeper = (phase: "starting" | "unfreed" | "freed") => ({
  kind: "keeper" as const,
  name: NAME,
  identity: { ...identity, pid: 41 },
  phase,
});

function trace(changes: Partial<Trace>): Trace {
  return {
    name: NAME,
    runDir: RUN_DIR,
    directory: place(RUN_DIR, OLD),
    qemus: [],
    keepers: [],
    cgroups: [],
    ...changes,
  };
}

const NOTHING_KNOWN: Circumstances = {
  ending: undefined,
  everRan: undefined,
  keepAll: "",
  asked: true,
};

function ended(phase: string): EndingRecord {
  return {
    migrationId: "m-1",
    guestId: "web",
    phase,
    peerAgentId: "b/source",
    arrival: "1",
    transport: "direct",
    startedAt: "2026-01-01T00:00:00Z",
  };
}

test("of all QEMUs that no record names, only one is killed: unguarded, at home, and it never ran", () => {
  const killed: string[] = [];
  for (const atHome of [true, false])
    for (const guarded of ["no keeper", "starting", "unfreed", "freed"] as const)
      for (const everRan of [true, false, undefined])
        for (const phase of ["nothing", "returned", "landed", "perished"])
          for (const keepAll of ["", "a record cannot be read"]) {
            const keepers = guarded === "no keeper" ? [] : [keeper(guarded)];
            const ending = phase === "nothing" ? undefined : ended(phase);
            const seen = trace({ qemus: [qemu(atHome)], keepers });
            const circumstances = { ending, everRan, keepAll, asked: true };
            const judged = judge(seen, circumstances);
            // What lives and where it lives go together, or not at all.
            assert.equal(
              new Set(
                judged
                  .slice(0, 1)
                  .concat(judged.slice(-1))
                  .map((each) => each.keep === ""),
              ).size,
              1,
            );
            if (judged[0]?.keep === "") killed.push(`${guarded} ${everRan} ${atHome} ${phase}`);
          }
  assert.deepEqual(killed, [
    "no keeper false true nothing",
    "no keeper false true returned",
    "no keeper false true landed",
  ]);
});

test("what may be about to be owned, or is being tidied away, is not judged at all", () => {
  const young = { directory: place(RUN_DIR, YOUNG_MS - 1) };
  const cgroup = (empty: boolean, ageMs: number) => ({ ...place("/c", ageMs), empty });
  const alone = { directory: undefined };
  const unsettled = [
    trace(young),
    trace({ ...young, keepers: [keeper("starting")] }),
    trace({ ...young, keepers: [keeper("unfreed")], qemus: [qemu()] }),
    trace({ ...young, keepers: [keeper("freed")], qemus: [qemu()] }),
    trace({ ...alone, cgroups: [cgroup(true, 0), cgroup(false, OLD)] }),
    trace(alone),
  ];
  for (const each of unsettled) assert.equal(settled(each), undefined);
  const orphans = [
    trace({}),
    trace({ ...young, qemus: [qemu()] }), // its keeper is dead: nobody launches it any more
    trace({ keepers: [keeper("unfreed")], qemus: [qemu()] }),
    trace({ ...alone, qemus: [qemu(false)] }),
    trace({ ...alone, cgroups: [cgroup(true, OLD)] }),
  ];
  for (const each of orphans) assert.deepEqual(settled(each), each);
  const some = settled(trace({ ...alone, cgroups: [cgroup(true, OLD), cgroup(false, OLD)] }));
  assert.equal(some?.cgroups.length, 1);
});

test("every part is told, with why nobody owns it and what to do about one that is kept", () => {
  const cgroups = [{ ...place("/c", OLD), empty: false }];
  const seen = trace({ qemus: [qemu()], keepers: [keeper("freed")], cgroups });
  const judged = judge(seen, { ...NOTHING_KNOWN, everRan: true });
  assert.deepEqual(
    judged.map(({ kind, subject }) => [kind, subject]),
    [
      ["process", "pid 42"],
      ["process", "pid 41"],
      ["run_directory", RUN_DIR],
      ["cgroup", "/c"],
    ],
  );
  assert.match(
    judged[0]?.reason ?? "",
    /no record .* names it; its keeper lives, and was freed; its guest runs/,
  );
  assert.match(judged[0]?.keep ?? "", /somebody's: .* by hand \(kill -KILL 42\) and sweep again/);
});

test("a guest that perished leaves its last words until a person sweeps them", () => {
  const ending = ended("perished");
  const keep = (asked: boolean) => judge(trace({}), { ...NOTHING_KNOWN, ending, asked })[0]?.keep;
  assert.match(keep(false) ?? "", /perished: look at qemu\.log/);
  assert.equal(keep(true), "");
});
