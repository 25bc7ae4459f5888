/*
 * Goal: nobody stands in for a destination that comes back while the person's word is being written. Method:
 * a departure that waits for its destination, which speaks in the middle of it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerIdentity } from "@ferry/agent-kit";
import { ConfirmOverride, Fault } from "@ferry/contract";
import type { Departure } from "./departure.js";
import { overrideDestination } from "./override.js";

for (const says of ["perished", "pending"] as const) {
  test(`a destination that says ${says} while the override is being written is not overridden`, async () => {
    const lines: string[] = [];
    let silent = true;
    const departure = {
      migrationId: "m",
      guestId: "g",
      phase: "released",
      verdictHeard: undefined as string | undefined,
      isForgotten: false,
      record: { destinationAgentId: "host-2/destination" },
      meet: { answers: async () => false, silent: () => silent },
      host: {
        audit: {
          async append({ what }: { what: string }) {
            lines.push(what);
            silent = false;
            if (says === "perished") departure.verdictHeard = says;
          },
        },
        metrics: { overrides: { inc() {} } },
        log: { warn() {} },
      },
      hearOverride: () => assert.fail("it was heard"),
    };
    const asked = ConfirmOverride.fromPartial({
      fencedHost: "host-2",
      reason: "it burnt",
      neverLanded: true,
    });
    const plaintext: PeerIdentity = { kind: "plaintext" };
    // An override touches nothing else of a departure.
    const order = overrideDestination(departure as unknown as Departure, asked, plaintext);
    await assert.rejects(order, (error) => {
      return error instanceof Fault && error.reason === "OVERRIDE_REFUSED";
    });
    assert.deepEqual(lines, ["override", "override_undone"]);
  });
}
