/* Goal: a script reads `--json` without knowing how our generated code spells things. Method: agents' answers, printed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Accelerator, Cause, Guest, GuestState, Migration, Role, Verdict } from "@ferry/contract";
import { plain } from "./plain.js";

const printed = (value: unknown) => JSON.parse(JSON.stringify(value, plain));

test("a guest is printed in words", () => {
  const boot = { $case: "kernel", value: { path: "/k", initrdPath: "", commandLine: "" } } as const;
  const guest = Guest.fromPartial({
    guestId: "vm1",
    state: GuestState.RUNNING,
    accelerator: Accelerator.TCG,
    spec: { memoryBytes: 2n ** 40n, boot },
  });
  const { state, accelerator, spec } = printed({ host: "a", guest }).guest;
  assert.deepEqual([state, accelerator], ["running", "tcg"]);
  assert.deepEqual(spec.kernel, boot.value);
  assert.equal(spec.memoryBytes, "1099511627776");
  assert.equal("boot" in spec, false);
});

test("a migration is printed in words, and its numbers are numbers", () => {
  const { role, verdict, cause, downtimeMs, progress } = printed(
    Migration.fromPartial({
      role: Role.SOURCE,
      verdict: Verdict.RETURNED,
      cause: Cause.CONNECTION_LOST,
      downtime: { $case: "downtimeMs", value: 35n },
      progress: { ratio: 0.5, iteration: 2 },
    }),
  );
  assert.deepEqual([role, verdict, cause], ["source", "returned", "connection_lost"]);
  assert.deepEqual([progress.ratio, progress.iteration, downtimeMs], [0.5, 2, "35"]);
});

test("a word newer than this command stays its number", () => {
  assert.deepEqual(printed({ state: 99, kind: 1 }), { state: 99, kind: 1 });
});
