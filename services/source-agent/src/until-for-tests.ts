/* For tests: a condition is waited for, with a bound. */
import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";

const BOUND_MS = 10_000;

export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + BOUND_MS;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, what);
    await wait(5);
  }
}
