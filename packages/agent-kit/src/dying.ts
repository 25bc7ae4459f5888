import type { Keeper } from "@ferry/qemu";
import { within } from "./within.js";

const LOOK_MS = 3;

/**
 * A monitor has closed, so its QEMU is most likely dying: waits up to `withinMs` for its keeper's word,
 * which says how, and says more than what came of it.
 */
export async function dying(
  keeper: Pick<Keeper, "look" | "reaped"> | undefined,
  withinMs: number,
): Promise<void> {
  if (keeper === undefined) return;
  const looking = setInterval(() => keeper.look(), LOOK_MS);
  await within(withinMs, keeper.reaped);
  clearInterval(looking);
}
