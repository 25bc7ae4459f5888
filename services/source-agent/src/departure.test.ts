/*
 * Goal: custody is given away by a word that is on disk before it is said. Method: the real table and driver,
 * with a disk and a Meet that only tell.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  type DepartureRecord,
  makeLogger,
  makeMetrics,
  NO_TRACES,
  parseConfig,
} from "@ferry/agent-kit";
import { MeetResponse, SourceWord, Verdict } from "@ferry/contract";
import { Departure } from "./departure.js";
import { departureRecord } from "./departure-record-for-tests.js";
import type { Host } from "./host.js";
import type { Resident } from "./resident.js";

/** A guest that is being copied, and what is written and said of it, in order. */
function copying(t: TestContext, { refuses }: { refuses?: string } = {}) {
  const story: string[] = [];
  const departures = {
    async update(_id: string, { phase }: DepartureRecord, durability: string) {
      story.push(`write ${phase}, ${durability}`);
      if (phase === refuses) throw new Error("ENOSPC");
    },
    foresee: async () => {},
    foretell: async () => {},
    readyEnd: async () => {},
  };
  const host = {
    config: parseConfig("host_id: host-1\nplaintext: true\n", "source"),
    agentId: "host-1/source",
    log: makeLogger({ level: "fatal", base: {} }, { write: () => {} }),
    metrics: makeMetrics({ role: "source", process: false }),
    traces: NO_TRACES,
    store: { departures, guests: { readyHide: async () => {} } },
    acknowledgement: () => Verdict.UNSPECIFIED,
    settled: () => {},
  };
  const keeper = { reaped: new Promise(() => {}), kill: async () => {} };
  const resident = { dead: false, keeper, clear() {} };
  const departure = new Departure(
    host as unknown as Host, // a copy under way needs no more of it
    resident as unknown as Resident,
    departureRecord(),
    "performing",
  );
  departure.meet = {
    tell: () => void story.push(`say ${SourceWord[departure.say().word]}`),
    close() {},
    silent: () => false,
  } as unknown as NonNullable<Departure["meet"]>;
  t.after(() => {
    resident.dead = true; // one that is taken back by mistake is not tried for ever
    departure.close();
  });
  return { departure, story };
}

test("a guest is given away by a word that is written, synced, and only then said", async (t) => {
  const { departure, story } = copying(t);
  await departure.hear("sent");
  assert.deepEqual(story, ["write released, fsync", "say RELEASED"]);
});

test("a guest whose release cannot be written is not given away", async (t) => {
  const { departure, story } = copying(t, { refuses: "released" });
  await departure.hear("sent");
  assert.equal(departure.phase, "cancelling");
  assert.ok(!story.includes("say RELEASED"), story.join("; "));
});

test("a verdict about another arrival is not heard", async (t) => {
  const { departure } = copying(t);
  await departure.hear("sent");
  departure.heardFromDestination(
    MeetResponse.fromPartial({ arrival: 8n, verdict: Verdict.RETURNED }),
  );
  departure.heardFromDestination(
    MeetResponse.fromPartial({ arrival: 8n, verdict: Verdict.LANDED }),
  );
  await departure.hear("gate"); // whatever was heard before it has had its turn
  assert.equal(departure.phase, "released");
});

test("what a person ordered is why the migration failed", async (t) => {
  const { departure } = copying(t);
  await departure.hear("sent");
  await departure.hearOverride("alice: the host burned down", true);
  assert.equal(departure.failure?.reason, "OVERRIDDEN");
  assert.match(departure.failure.description, /alice: the host burned down/);
});
