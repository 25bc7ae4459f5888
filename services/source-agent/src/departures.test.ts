/*
 * Goal: what has ended is let go as soon as the destination knows it, whatever the disk does. Method: the
 * collection itself, departures that have ended, and a store that answers as the test says.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { makeLogger, makeMetrics, NO_TRACES, parseConfig } from "@ferry/agent-kit";
import { MeetResponse, Verdict } from "@ferry/contract";
import { Departure } from "./departure.js";
import { departureRecord } from "./departure-record-for-tests.js";
import { Departures } from "./departures.js";
import type { Host } from "./host.js";
import type { Resident } from "./resident.js";

/** A guest that was kept, of whose end the destination has not spoken yet, and a Meet that is up. */
function kept(acknowledge: () => Promise<boolean>) {
  const lines: string[] = [];
  const log = makeLogger({ level: "info", base: {} }, { write: (line) => void lines.push(line) });
  const endings = { acknowledge, annotate: async () => {} };
  const host = {
    config: parseConfig("host_id: host-1\nplaintext: true\n", "source"),
    log,
    metrics: makeMetrics({ role: "source", process: false }),
    traces: NO_TRACES,
    store: { endings, departures: { hide: async () => () => {} } },
  };
  const departures = new Departures(
    host as unknown as Omit<Host, "settled" | "acknowledgement" | "joinBandwidth">,
    {} as never, // not asked where a guest was kept
  );
  const resident = {
    record: { guest: {} },
    changes: { bump() {} },
    look: async () => {},
    migrationId: "",
  };
  const departure = new Departure(
    departures.hostOfDepartures(),
    resident as unknown as Resident,
    departureRecord({ phase: "kept" }),
    "kept",
  );
  let hungUp = false;
  departure.meet = {
    tell() {},
    silent: () => false,
    close: () => {
      hungUp = true;
    },
  } as unknown as NonNullable<typeof departure.meet>;
  const verdict = MeetResponse.fromPartial({ arrival: 7n, verdict: Verdict.RETURNED });
  return {
    departure,
    lines,
    ends: () => departure.host.settled(departure),
    hears: () => departure.heardFromDestination(verdict),
    get hungUp() {
      return hungUp;
    },
  };
}

async function turns(count = 20): Promise<void> {
  for (let at = 0; at < count; at += 1) await turn();
}

test("a destination that says the same again lets a departure that has ended go", async () => {
  let acknowledged = false;
  const one = kept(async () => {
    acknowledged = true;
    return true;
  });
  one.ends();
  await turns();
  assert.equal(acknowledged, false);
  one.hears();
  await turns();
  assert.equal(acknowledged, true);
  assert.equal(one.hungUp, true);
});

test("a disk that cannot be read does not keep Meet open for what has ended", async () => {
  const one = kept(() => Promise.reject(Object.assign(new Error("EIO"), { code: "EIO" })));
  one.ends();
  one.hears();
  await turns();
  assert.equal(one.hungUp, true);
  assert.match(one.lines.join(""), /EIO/);
});
