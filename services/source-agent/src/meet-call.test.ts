/*
 * Goal: the destination is told every word it acts on, and none in vain. Method: the call itself, on a
 * stream that keeps what is written.
 */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { type TestContext, test } from "node:test";
import type { PeerLine } from "@ferry/agent-kit";
import { MeetRequest, SourceWord, Verdict } from "@ferry/contract";
import { MeetCall } from "./meet-call.js";

const WORD = MeetRequest.fromPartial({
  migrationId: "m",
  guestId: "g",
  sourceAgentId: "host-1/source",
});

function met(t: TestContext) {
  const said: MeetRequest[] = [];
  let word = WORD;
  const stream = Object.assign(new EventEmitter(), {
    write: (request: MeetRequest) => said.push(request),
    end() {},
    cancel() {},
  });
  const line = { client: { meet: () => stream }, giveBack() {}, hangUp() {} };
  const call = new MeetCall({
    beatMs: 3_600_000, // none falls into a test
    dial: () => line as unknown as PeerLine, // nothing else of a line is touched
    say: () => word,
    heard() {},
    broke() {},
  });
  t.after(() => call.close());
  return {
    said,
    tell(now: Partial<MeetRequest>) {
      word = { ...word, ...now };
      call.tell();
    },
  };
}

test("what the destination acts on is said once", (t) => {
  const { said, tell } = met(t);
  tell({ arrival: 7n });
  tell({});
  tell({ word: SourceWord.RELEASED, stoppedAtUs: 5n });
  tell({});
  tell({ acknowledged: Verdict.LANDED });
  assert.deepEqual(
    said.map(({ arrival, word, acknowledged }) => [arrival, word, acknowledged]),
    [
      [0n, SourceWord.UNSPECIFIED, Verdict.UNSPECIFIED],
      [7n, SourceWord.UNSPECIFIED, Verdict.UNSPECIFIED],
      [7n, SourceWord.RELEASED, Verdict.UNSPECIFIED],
      [7n, SourceWord.RELEASED, Verdict.LANDED],
    ],
  );
});

test("what means nothing to the destination waits for the next beat", (t) => {
  const { said, tell } = met(t);
  tell({ word: SourceWord.RELEASED });
  tell({ word: SourceWord.UNSPECIFIED });
  tell({ transferBytesPerSecond: 9n });
  assert.equal(said.length, 2);
});
