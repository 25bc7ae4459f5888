/*
 * Goal: what is wrong is said, with what to do next, and what is in order is not. Method: one of each,
 * on both sides of its bound.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Guest, GuestState, Migration, Orphan, OrphanKind } from "@ferry/contract";
import {
  certificateFindings,
  EXPIRES_SOON_MS,
  guestFindings,
  merged,
  migrationFindings,
  orphanFindings,
  sweptLines,
  UNSETTLED_LONG_MS,
} from "./findings.js";

const NOW = new Date("2026-03-04T05:06:07Z");
const later = (ms: number) => new Date(NOW.getTime() + ms);
const DAY_MS = 24 * 60 * 60 * 1_000;
const orphan = (changes: Partial<Orphan>) =>
  Orphan.fromPartial({
    kind: OrphanKind.PROCESS,
    subject: "pid 7",
    reason: "nobody's",
    ...changes,
  });

test("a certificate is worth a word two weeks before its end, and after it", () => {
  assert.deepEqual(certificateFindings("a", later(EXPIRES_SOON_MS), NOW), []);
  const [soon] = certificateFindings("a", later(3 * DAY_MS + 1), NOW);
  assert.equal(soon?.what, "its certificate ends on 2026-03-07 05:06 UTC, in 3 days");
  const [over] = certificateFindings("a", later(-1), NOW);
  assert.equal(over?.what, "its certificate ended on 2026-03-04 05:06 UTC");
});

test("guests that are lost, in error or out of reach are told, with the way out; all others are not", () => {
  const states = Object.values(GuestState).filter((state) => typeof state === "number");
  const told = states.filter((state) => guestFindings([Guest.fromPartial({ state })]).length > 0);
  assert.deepEqual(told, [GuestState.LOST, GuestState.ERROR, GuestState.UNREACHABLE]);
  const lost = { guestId: "web", state: GuestState.LOST, reason: "killed" };
  const [alone] = guestFindings([Guest.fromPartial(lost)]);
  assert.deepEqual([alone?.subject, alone?.what], ["guest web", "is lost: killed"]);
  assert.match(alone?.next ?? "", /ferry start.*ferry stop web/);
  const [moving] = guestFindings([Guest.fromPartial({ ...lost, migrationId: "m-1" })]);
  assert.match(moving?.next ?? "", /ferry resolve m-1/); // starting it could run it twice
});

test("a migration is told that is not settled a minute after its beginning", () => {
  const migration = (ageMs: number, settled: boolean) =>
    Migration.fromPartial({
      migrationId: "m-1",
      guestId: "web",
      phase: "released",
      reason: "no answer",
      startedAt: later(-ageMs),
      settled,
    });
  const long = UNSETTLED_LONG_MS;
  assert.deepEqual(migrationFindings([migration(long - 1, false), migration(long, true)], NOW), []);
  const [found] = migrationFindings([migration(long, false)], NOW);
  assert.equal(found?.what, "guest web is released for 1 min 0 s: no answer");
  assert.match(found?.next ?? "", /ferry watch m-1.*ferry resolve m-1/);
});

test("an orphan is told with what would remove it, or with why it was kept", () => {
  const kept = orphan({ keptBecause: "its guest may run" });
  assert.match(orphanFindings([orphan({})])[0]?.next ?? "", /ferry doctor --sweep/);
  assert.equal(orphanFindings([kept])[0]?.next, "It was kept: its guest may run.");
  const record = orphan({ kind: OrphanKind.RECORD, subject: "/r" });
  const [unreadable] = orphanFindings([record]);
  assert.equal(unreadable?.subject, "record /r");
  assert.match(unreadable?.next ?? "", /move the record out/); // no sweep would help
});

test("what was swept is no finding, and what both agents tell is told once", () => {
  const swept = orphan({ swept: true });
  const both = merged([[orphan({ keptBecause: "its agent uses it" })], [swept]]);
  assert.deepEqual(both, [swept]);
  assert.deepEqual(orphanFindings(both), []);
  assert.deepEqual(sweptLines(both), ["swept process pid 7 (nobody's)"]);
  assert.equal(merged([[orphan({})], [orphan({ subject: "pid 8" })]]).length, 2);
});
