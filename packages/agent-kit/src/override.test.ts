/*
 * Goal: a person stands in for a host only if everything that must be true is, and was said; else nothing is
 * written and nothing is heard. Method: an order in which all is well, spoilt in one place at a time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault, type FaultReason } from "@ferry/contract";
import type { PeerIdentity } from "./identity.js";
import { type OverrideOrder, override } from "./override.js";

const OPERATOR: PeerIdentity = {
  kind: "certificate",
  name: "ferry://operator/ann",
  roles: ["operator"],
  hostId: undefined,
  policy: "the built-in policy",
};

/** An order that is carried out, with what it was spoilt by; `said` is all that came of it. */
function orderOf(spoilt: Partial<OverrideOrder<string>>) {
  const said: string[] = [];
  const order: OverrideOrder<string> = {
    peer: OPERATOR,
    asked: { fencedHost: "host-2", reason: "it burnt" },
    fenced: { role: "destination", hostId: "host-2", answers: false },
    statement: { field: "never_landed", made: true, because: "it might have" },
    migrationId: "m",
    guestId: "g",
    host: {
      // Of the three an override uses these alone.
      audit: { append: async ({ what }: { what: string }) => said.push(what) },
      log: { warn: () => {} },
      metrics: { overrides: { inc: () => {} } },
    } as unknown as OverrideOrder<string>["host"],
    refusal: () => undefined,
    hear: async (who) => {
      said.push(`heard ${who}`);
      return { answer: "moved", phase: "resuming" };
    },
    ...spoilt,
  };
  return { order, said };
}

test("an order in which all is well is written, and then heard", async () => {
  const { order, said } = orderOf({});
  await override(order);
  assert.deepEqual(said, ["override", "heard ferry://operator/ann: it burnt"]);
});

const { asked, fenced, statement } = orderOf({}).order;
const SPOILT: readonly [what: string, by: Partial<OverrideOrder<string>>, reason: FaultReason][] = [
  ["by a controller", { peer: { ...OPERATOR, roles: ["controller"] } }, "FORBIDDEN"],
  ["about a host that answers", { fenced: { ...fenced, answers: true } }, "OVERRIDE_REFUSED"],
  ["about another host", { asked: { ...asked, fencedHost: "host-3" } }, "INVALID_REQUEST"],
  ["without a reason", { asked: { ...asked, reason: " " } }, "INVALID_REQUEST"],
  ["without its statement", { statement: { ...statement, made: false } }, "INVALID_REQUEST"],
  ["that is not possible now", { refusal: () => "it runs here" }, "OVERRIDE_REFUSED"],
];
for (const [what, by, reason] of SPOILT) {
  test(`an order ${what} is refused, and nothing is written or heard`, async () => {
    const { order, said } = orderOf(by);
    await assert.rejects(
      override(order),
      (error) => error instanceof Fault && error.reason === reason,
    );
    assert.deepEqual(said, []);
  });
}

test("an order that the table refuses is written as undone", async () => {
  const { order, said } = orderOf({ hear: async () => ({ answer: "refuse", phase: "departed" }) });
  await assert.rejects(override(order), /departed by now: nothing was done/);
  assert.deepEqual(said, ["override", "override_undone"]);
});
