/*
 * Goal: whatever the configuration limits, GetInfo tells. Method: every limit gets a number of its own, and is looked
 * for under its own name in what the two agents tell together; a key that is added later and not told fails this.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { configOf, configSchema } from "./config.js";
import { limitsTold } from "./limits-told.js";

const DEFAULTS = configOf(configSchema.parse({ host_id: "a" }), "source");
const LIMITS = Object.fromEntries(
  Object.keys(DEFAULTS.limits).map((name, index) => [name, 70_001 + index]),
) as unknown as typeof DEFAULTS.limits; // every one of them is a number, or null for none
const NUMBERED = { ...DEFAULTS, limits: LIMITS };

test("every limit of the configuration is told under its own name, by the agent that keeps it", () => {
  const source: Readonly<Record<string, unknown>> = { ...limitsTold(NUMBERED, "source") };
  const destination: Readonly<Record<string, unknown>> = { ...limitsTold(NUMBERED, "destination") };
  for (const [name, value] of Object.entries(LIMITS)) {
    const told = [source[name], destination[name]].filter((each) => Number(each) === value);
    assert.ok(told.length > 0, `${name} is told by neither agent`);
  }
});

test("no limit is 0, and what the other agent keeps is 0, too", () => {
  const source = limitsTold(DEFAULTS, "source");
  const destination = limitsTold(DEFAULTS, "destination");
  assert.equal(source.bandwidthBytesPerSecond, 0n);
  assert.equal(destination.incomingBandwidthBytesPerSecond, 0n);
  assert.deepEqual([source.arrivalsMax, source.arrivalsPerCallerMax, source.portFirst], [0, 0, 0]);
  assert.deepEqual([destination.departuresMax, destination.timeoutMaxMs], [0, 0]);
});

test("a migration's time limit and the ports are told as they are", () => {
  assert.equal(limitsTold(DEFAULTS, "source").timeoutMaxMs, 24 * 86_400_000);
  const { portFirst, portLast } = limitsTold(DEFAULTS, "destination");
  assert.deepEqual([portFirst, portLast], [49_152, 49_215]);
});
