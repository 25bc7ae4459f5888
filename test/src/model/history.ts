/* What only the walk remembers: which copies of the guest have become old. */
import { hasCopy, runsHere, type World } from "./world.js";

/**
 * A complete copy is old from the moment the guest runs anywhere else: memory that wakes after that
 * is older than the disks it wakes on.
 */
export function remember(world: World): World {
  const { source, destinations } = world;
  const here = runsHere(source);
  const there = destinations.findIndex((host) => host.qemu === "running");
  if (!here && there === -1) return world;
  const stale = destinations.some((host, at) => !host.old && at !== there && hasCopy(host));
  if (!stale && (there === -1 || source.old)) return world;
  return {
    source: there === -1 || source.old ? source : { ...source, old: true },
    destinations: stale
      ? destinations.map((host, at) =>
          at !== there && hasCopy(host) ? { ...host, old: true } : host,
        )
      : destinations,
  };
}
