/*
 * Goal: what is done to a guest here is done in the one order that is safe, and a cut ends every guest that has
 * not landed. Method: the real table, driver and effects, with a disk, a keeper and a QEMU that only tell.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ArrivalRecord,
  makeLogger,
  makeMetrics,
  NO_TRACES,
  parseConfig,
} from "@ferry/agent-kit";
import type { DestinationPhase } from "@ferry/protocol";
import type { Death } from "@ferry/qemu";
import type { CutCause } from "@ferry/tether";
import { Arrival } from "./arrival.js";
import { guard } from "./effects.js";
import type { Host } from "./host.js";

const PATIENCE_MS = 20_000;

interface Scene {
  readonly phase: DestinationPhase;
  readonly paused?: boolean;
  /** The phase that the disk does not take. */
  readonly refuses?: DestinationPhase;
}

/** An arrival in that phase, and what is done to its world, in order. */
function scene({ phase, paused = false, refuses }: Scene) {
  const story: string[] = [];
  const told = (what: string) => async () => void story.push(what);
  const arrivals = {
    async update(_id: string, { arrival }: ArrivalRecord, durability: string) {
      story.push(`write ${arrival.phase}, ${durability}`);
      if (arrival.phase === refuses) throw new Error("ENOSPC");
    },
    land: told("rename into guests/"),
    end: async (_id: string, ending: string) => void story.push(`end ${ending}`),
    foresee: async () => {},
  };
  const host = {
    config: parseConfig("host_id: host-2\nplaintext: true\n", "destination"),
    log: makeLogger({ level: "fatal", base: {} }, { write: () => {} }),
    metrics: makeMetrics({ role: "destination", process: false }),
    traces: NO_TRACES,
    store: { arrivals },
    audit: { append: async ({ what }: { what: string }) => void story.push(what) },
    settled: () => {},
  };
  const record = {
    guest: { spec: { guestId: "g" }, runDir: "/nowhere", paused },
    arrival: {
      migrationId: "5b6a3f6e-6f6b-4c44-9a0f-3f0f0a5d7c11",
      phase,
      arrival: "7",
      sourceAgentId: "host-1/source",
      transport: "direct",
      startedAt: new Date(0).toISOString(),
    },
  };
  // Once its QEMU runs, an arrival needs no more of its host and of its record.
  const arrival = new Arrival(host as unknown as Host, record as unknown as ArrivalRecord, phase);
  let reap: (death: Death) => void = () => {};
  const keeper = {
    reaped: new Promise<Death>((resolve) => {
      reap = resolve;
    }),
    keeperGone: new Promise<void>(() => {}),
    free: () => void story.push("free"),
    kill: told("kill"),
    look: () => {},
  };
  guard(arrival, keeper as unknown as NonNullable<Arrival["keeper"]>);
  const qmp = {
    async execute(command: string) {
      story.push(command);
      return { status: "paused", running: false };
    },
  };
  arrival.qmp = qmp as unknown as NonNullable<Arrival["qmp"]>;
  const reaches = (wanted: DestinationPhase) =>
    arrival.changes.until(() => arrival.phase === wanted, { withinMs: PATIENCE_MS });
  return { arrival, story, reaches, reap: () => reap({ summary: "ended" }) };
}

test("a guest lands in this order: keeper, record, cont, rename", async () => {
  const { arrival, story, reaches } = scene({ phase: "loadedReleased" });
  await arrival.hear("ordered");
  assert.ok(await reaches("landed"));
  const wanted = ["free", "write landing, fsync", "query-status", "cont", "rename into guests/"];
  assert.deepEqual(story, wanted);
  arrival.close();
});

test("a guest that was paused lands without being asked to run", async () => {
  const { arrival, story, reaches } = scene({ phase: "loadedReleased", paused: true });
  await arrival.hear("ordered");
  assert.ok(await reaches("landed"));
  assert.deepEqual(story, ["free", "write landing, fsync", "rename into guests/"]);
  arrival.close();
});

test("a guest whose landing cannot be written is killed, and never asked to run", async () => {
  const { arrival, story, reaches, reap } = scene({ phase: "loadedReleased", refuses: "landing" });
  await arrival.hear("ordered");
  assert.ok(await reaches("discarding"));
  reap();
  assert.ok(await reaches("returned"));
  assert.deepEqual(story, ["free", "write landing, fsync", "kill", "end returned"]);
});

const UNLANDED: readonly DestinationPhase[] = [
  ...(["preparing", "prepared", "receiving", "receivingOrdered", "receivingReleased"] as const),
  ...(["receivingDue", "loaded", "loadedOrdered", "loadedReleased"] as const),
];
for (const phase of UNLANDED) {
  test(`a cut in ${phase} kills, and is a verdict only once QEMU is reaped`, async () => {
    const { arrival, story, reaches, reap } = scene({ phase });
    let cut: (by: { cause: CutCause }) => void = () => {};
    let untied = false;
    arrival.tether({
      cut: new Promise((resolve) => {
        cut = resolve;
      }),
      untie: () => {
        untied = true;
      },
      heartbeat: () => true,
    });
    cut({ cause: "keepalive" });
    assert.ok(await reaches("discarding"));
    assert.deepEqual(story, ["kill"]);
    reap();
    assert.ok(await reaches("returned"));
    assert.deepEqual(story, ["kill", "end returned", "autokill"]);
    assert.equal(arrival.cause, "keepalive");
    assert.ok(untied);
  });
}
