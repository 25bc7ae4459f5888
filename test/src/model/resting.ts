/*
 * Where worlds come to rest, host by host: phase and QEMU of the source, and beside it those of the
 * destination. Everything that a table could be broken into without breaking a law shows in these: a world
 * that rests in a new place, or an old place that is never reached. Change them only if you can say why.
 */

export type Places = { readonly [source: string]: readonly string[] };

/** One destination, every fault but lost disks. */
export const FAULTS: Places = {
  "bereft/dead": ["perished/dead", "perished/loaded", "perished/shutDown"],
  "departed/dead": ["landed/dead", "landed/running", "landed/shutDown"],
  "gone/dead": ["empty/none", "returned/dead"],
  "gone/fresh": ["empty/none", "returned/dead"],
  "idle/runs": ["empty/none", "returned/dead"],
  "kept/awake": ["returned/dead"],
  "kept/failed": ["returned/dead"],
  "kept/runs": ["empty/none", "returned/dead"],
  "released/sent": ["perished/dead", "perished/loaded", "perished/shutDown"],
};

/** One destination whose disk is lost, so that its id is prepared a second time. */
export const LOST_DISK: Places = {
  "bereft/dead": ["empty/none", "returned/dead"],
  "departed/dead": ["empty/none", "landed/running", "landed/shutDown", "returned/dead"],
  "idle/runs": ["empty/none", "returned/dead"],
  "kept/awake": ["empty/none", "returned/dead"],
  "kept/failed": ["empty/none", "returned/dead"],
  "kept/runs": ["empty/none", "returned/dead"],
  "reclaimed/awake": ["empty/none", "returned/dead"],
  "reclaimed/failed": ["empty/none", "returned/dead"],
  "released/sent": ["empty/none", "perished/shutDown", "returned/dead"],
};

/** Every fault of agents, QEMUs and hosts, and a person who overrides only hosts that are down. */
export const OVERRIDES: Places = {
  "bereft/dead": ["perished/dead", "perished/loaded", "perished/shutDown"],
  "departed/dead": ["landed/dead", "landed/running", "landed/shutDown"],
  "gone/dead": ["empty/none", "landed/dead", "perished/dead", "returned/dead"],
  "gone/fresh": ["empty/none", "landed/dead", "perished/dead", "returned/dead"],
  "idle/runs": ["empty/none", "returned/dead"],
  "kept/awake": ["landed/dead", "perished/dead", "returned/dead"],
  "kept/failed": ["returned/dead"],
  "kept/runs": ["empty/none", "returned/dead"],
  "lost/dead": ["perished/dead", "perished/loaded", "perished/shutDown"],
  "released/sent": ["perished/dead", "perished/loaded", "perished/shutDown"],
};

/** Agents die, a disk is lost, and a person overrides hosts that are down or have lost what they knew. */
export const LOST_DISK_OVERRIDES: Places = {
  "bereft/dead": ["empty/none", "returned/dead"],
  "departed/dead": ["empty/none", "landed/running", "landed/shutDown", "returned/dead"],
  "gone/dead": ["empty/none", "perished/dead", "returned/dead"],
  "gone/fresh": ["empty/none", "perished/dead", "returned/dead"],
  "idle/runs": ["empty/none", "returned/dead"],
  "kept/awake": ["empty/none", "perished/dead", "returned/dead"],
  "kept/failed": ["empty/none", "returned/dead"],
  "kept/runs": ["empty/none", "returned/dead"],
  "reclaimed/awake": ["empty/none", "returned/dead"],
  "reclaimed/failed": ["empty/none", "returned/dead"],
  "released/sent": ["empty/none", "perished/shutDown", "returned/dead"],
};
