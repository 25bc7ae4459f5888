/*
 * Goal: the source hears what is new to it, a guest that stands still is not kept waiting by words that are
 * not, and nobody but the source of this very arrival is heard. Method: the handler itself, with an arrival whose phase the test sets, and a stream
 * whose two ends the test holds.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Changes } from "@ferry/agent-kit";
import { Fault, MeetRequest, type MeetResponse, SourceWord, Verdict } from "@ferry/contract";
import type { Arrivals } from "./arrivals.js";
import { type MeetCall, meetHandler } from "./meet.js";

/** No beat falls into a test. */
const BEAT_MS = 3_600_000;

const WORD = MeetRequest.fromPartial({
  migrationId: "5b6a3f6e-6f6b-4c44-9a0f-3f0f0a5d7c11",
  guestId: "g",
  sourceAgentId: "host-1/source",
  arrival: 7n,
});

/** One arrival as far as Meet looks at one, and a source that said its first word. */
async function meeting(t: TestContext, peer: MeetCall["peer"] = { kind: "plaintext" }) {
  const heard: string[] = [];
  const arrival = {
    changes: new Changes(),
    settled: false,
    phase: "receiving",
    verdict: "pending",
    endpoint: undefined,
    record: { arrival: { arrival: "7" } },
    heardSource() {},
    tracedBySource() {},
    hear: async (word: string) => void heard.push(word),
    view: () => ({
      guestId: WORD.guestId,
      peerAgentId: WORD.sourceAgentId,
      arrival: "7",
      phase: arrival.phase,
      verdict: arrival.verdict,
      tethered: true,
      cause: undefined,
      reason: "",
    }),
  };
  const meets = { inc() {}, dec() {} };
  const arrivals = {
    host: {
      metrics: { meets },
      config: { limits: { incomingBandwidthBytesPerSecond: undefined } },
    },
    live: () => arrival,
    ended: () => undefined,
    underWay: () => [arrival],
    acknowledge: async () => void acknowledged.push(arrival.verdict),
  };
  const acknowledged: string[] = [];
  const said: MeetResponse[] = [];
  let say: (word: MeetRequest | undefined) => void = () => {};
  const requests = (async function* () {
    let next: MeetRequest | undefined = WORD;
    while (next !== undefined) {
      yield next;
      next = await new Promise((resolve) => {
        say = resolve;
      });
    }
  })();
  const call: MeetCall = {
    requests,
    peer,
    signal: new AbortController().signal,
    traceparent: undefined,
    write: (response) => said.push(response),
  };
  // Nothing else of the arrivals is touched.
  const over = meetHandler(arrivals as unknown as Arrivals, "host-2/destination", BEAT_MS)(call);
  over.catch(() => {}); // told to whoever waits for it
  const hangUp = () => say(undefined);
  t.after(hangUp);
  await turn();
  return {
    heard,
    over,
    hangUp,
    said,
    acknowledged,
    async says(word: Partial<MeetRequest>) {
      say({ ...WORD, ...word });
      await turn();
    },
    async moves(phase: string) {
      arrival.phase = phase;
      arrival.changes.bump();
      await turn();
    },
    /** Without telling anybody: as if the source had dialled again after it. */
    async settles(verdict: string) {
      Object.assign(arrival, { settled: true, phase: verdict, verdict });
      await turn();
    },
  };
}

test("that its caller has ordered the guest to land is told at once, and once", async (t) => {
  const { said, moves } = await meeting(t);
  assert.deepEqual(
    said.map(({ ordered }) => ordered),
    [false],
  );
  for (const phase of ["receivingOrdered", "loadedOrdered", "untying", "landing"]) {
    await moves(phase);
  }
  assert.deepEqual(
    said.map(({ ordered }) => ordered),
    [false, true],
  );
});

test("every word is answered but a release, which is answered by what comes of it", async (t) => {
  const { said, says } = await meeting(t);
  await says({});
  assert.equal(said.length, 2);
  await says({ word: SourceWord.RELEASED });
  assert.equal(said.length, 2);
});

test("a release is answered at once when nothing will come of it, since a verdict fell before", async (t) => {
  const { said, says, settles } = await meeting(t);
  await settles("returned");
  const before = said.length;
  await says({ word: SourceWord.RELEASED });
  assert.deepEqual(
    said.slice(before).map(({ verdict }) => verdict),
    [Verdict.RETURNED],
  );
});

test("a verdict that this release never said acknowledges nothing", async (t) => {
  const { acknowledged, says, settles } = await meeting(t);
  await settles("perished");
  await says({ acknowledged: 99 as Verdict });
  assert.deepEqual(acknowledged, []);
  await says({ acknowledged: Verdict.PERISHED });
  assert.deepEqual(acknowledged, ["perished"]);
});

test("a word about another arrival is not heard, whatever it says", async (t) => {
  const { heard, says } = await meeting(t);
  const before = heard.length;
  for (const word of [SourceWord.RELEASED, SourceWord.BEREFT, SourceWord.RECALLED]) {
    await says({ arrival: 8n, word });
  }
  assert.deepEqual(heard.slice(before), []);
  await says({ word: SourceWord.RELEASED });
  assert.deepEqual(heard.slice(before), ["released"]);
});

test("an agent of another host than the source's is not met, nor one that means another guest", async (t) => {
  const isWrongPeer = (error: unknown) => error instanceof Fault && error.reason === "WRONG_PEER";
  const agent = (hostId: string) =>
    ({ kind: "certificate", name: hostId, roles: ["agent"], hostId, policy: "" }) as const;
  const stranger = await meeting(t, agent("host-3"));
  stranger.hangUp();
  await assert.rejects(stranger.over, isWrongPeer);
  assert.deepEqual(stranger.heard, []);

  const mixedUp = await meeting(t, agent("host-1"));
  await mixedUp.says({ guestId: "another" });
  mixedUp.hangUp();
  await assert.rejects(mixedUp.over, isWrongPeer);
});
