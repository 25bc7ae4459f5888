import { Orphans } from "@ferry/agent-kit";
import type { Arrivals } from "./arrivals.js";

/**
 * An arrival has its run directory before, or while, its record is written: until it is settled it
 * is in use, whatever is on disk.
 */
export function orphansOf(arrivals: Arrivals): Orphans {
  return new Orphans({
    ...arrivals.host,
    inUse: () => arrivals.underWay().map(({ record }) => record.guest.runDir),
  });
}
