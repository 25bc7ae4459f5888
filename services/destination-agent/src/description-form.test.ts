import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault, GuestDescription } from "@ferry/contract";
import { checkDescription } from "./description-form.js";

const GOOD = GuestDescription.fromPartial({
  sourceAgentId: "host-1/source",
  sourceHostId: "host-1",
  qemuVersion: "7.2.22",
  cpuProperties: { sse2: "true", family: "15" },
});

const properties = (count: number, characters: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`p${n}`, "x".repeat(characters)]));

test("what an agent makes of a guest is taken, and so is a processor that has much more to it", () => {
  checkDescription(GOOD);
  checkDescription({ ...GOOD, qemuVersion: "", cpuProperties: {} });
  checkDescription({ ...GOOD, cpuProperties: properties(4_096, 50) });
});

const bad: [field: string, why: string, Partial<GuestDescription>][] = [
  ["source_host_id", "missing", { sourceHostId: "", sourceAgentId: "/source" }],
  ["source_host_id", "no host's name", { sourceHostId: "a b", sourceAgentId: "a b/source" }],
  ["source_agent_id", "another host's", { sourceAgentId: "host-9/source" }],
  ["source_agent_id", "a destination's", { sourceAgentId: "host-1/destination" }],
  ["qemu_version", "too long", { qemuVersion: "7".repeat(65) }],
  ["cpu_properties", "too many", { cpuProperties: properties(4_097, 1) }],
  ["cpu_properties", "too long", { cpuProperties: properties(2, 200_000) }],
];
for (const [field, why, change] of bad) {
  test(`refused: ${field}, ${why}`, () => {
    assert.throws(
      () => checkDescription({ ...GOOD, ...change }),
      (error) =>
        error instanceof Fault &&
        error.details.fieldViolations?.[0]?.field === `description.${field}`,
    );
  });
}
