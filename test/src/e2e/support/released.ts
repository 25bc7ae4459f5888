/* A guest that was given away, and that nobody has ordered to land: it stands still at both ends. */
import { TestGuest } from "../../harness/guests.js";
import type { Bench } from "./bench-hosts.js";
import { stagedSpec } from "./staging.js";
import { Steps } from "./steps.js";

export async function released(bench: Bench, guestId: string) {
  const [from, to] = bench.hosts.pair;
  const guest = await TestGuest.start(from, stagedSpec(guestId));
  const steps = new Steps({ guestId, from, to });
  await steps.begin();
  const tether = bench.keep(steps.prepare());
  await tether.ready();
  await steps.perform().bound();
  await steps.arrivalIn("loadedReleased");
  return { guest, steps };
}
