/*
 * What each failure must end in: every fault at every instant, and the compiler demands every cell.
 * More than one ending in a cell: which one it is depends on who notices first, and both are right.
 */

import type { Link } from "./cables.js";
import {
  at,
  cannot,
  cut,
  DESTINATION,
  EARLY,
  EITHER,
  ends,
  harmless,
  KEEPER_ENDED,
  LANDED,
  LANDING,
  REAPED,
  RELEASING,
  type Row,
  RUNNING,
  SOURCE,
  SWITCHOVER,
  UNRELEASED,
} from "./cells.js";
import type { DiskBreak } from "./disks.js";
import type { FaultId } from "./faults.js";
import type { LinkBreak } from "./links.js";
import { kinds } from "./matrix-kinds.js";
import type { Role } from "./stage.js";

const apart = (how: LinkBreak): Row => ({
  ...harmless,
  // Before the copy begins the agents meet again; a copy that is stopped long enough is cancelled. After
  // some bytes more it has begun, or has not.
  ...at(how === "bytes" ? EITHER : DESTINATION, ...EARLY),
  ...at(how === "reset" || how === "bytes" ? EITHER : DESTINATION, "met"),
  ...at(how === "reset" ? SOURCE : EITHER, "firstPage"),
  // The source yanks at its deadline, and runs.
  ...at(how === "bytes" ? EITHER : SOURCE, "preSwitchover"),
  // Everything was sent: what counts is whether the destination's answer comes through.
  ...at(how === "drop" || how === "deaf" ? SOURCE : EITHER, "deviceState"),
});

const links: { readonly [L in `${LinkBreak}:${Link}`]: Row } = {
  "drop:controllerSource": harmless,
  "reset:controllerSource": harmless,
  "mute:controllerSource": harmless,
  "deaf:controllerSource": harmless,
  "bytes:controllerSource": harmless,
  "drop:controllerDestination": cut,
  "reset:controllerDestination": cut,
  "mute:controllerDestination": cut,
  "deaf:controllerDestination": cut,
  "bytes:controllerDestination": cut,
  "drop:sourceDestination": apart("drop"),
  "reset:sourceDestination": apart("reset"),
  "mute:sourceDestination": apart("mute"),
  "deaf:sourceDestination": apart("deaf"),
  "bytes:sourceDestination": apart("bytes"),
};

/** A source that cannot rename keeps its guest; once `released` is in force it lets it go. */
const sourceReadOnly: Row = {
  ...harmless,
  ...at(SOURCE, ...EARLY, ...UNRELEASED, "completed"),
  // A sync that fails leaves a record that may say `released`: the guest waits for the disk.
  ...at(EITHER, "releasedUnsynced"),
};
/** Records that are likely to come were written while there was room: all that is left is a rename. */
const sourceFull: Row = { ...harmless, ...at(EITHER, ...EARLY, "met") };
/** A destination that cannot rename kills what has not landed. */
const destinationReadOnly: Row = {
  ...harmless,
  ...at(SOURCE, "firstPage", ...SWITCHOVER, ...RELEASING),
  ...at(SOURCE, "keeperFreed", "landingUnsynced"),
  // Nothing is written from the arrival's record to its landing: by then the disk may be mended.
  ...at(EITHER, ...EARLY, "met"),
};
const destinationFull: Row = { ...harmless, ...at(EITHER, "starting", "listening", "met") };
/** From here on that disk is only renamed on. */
const NOTHING_WRITTEN = cannot("no file is written on that disk any more, only renamed");

const disks: { readonly [D in `${DiskBreak}:${Role}`]: Row } = {
  "full:source": sourceFull,
  "readOnly:source": sourceReadOnly,
  "torn:source": { ...sourceFull, ...at(NOTHING_WRITTEN, "releasedUnsynced", "releasedSynced") },
  "slow:source": harmless,
  "full:destination": destinationFull,
  "readOnly:destination": destinationReadOnly,
  "torn:destination": destinationFull,
  "slow:destination": harmless,
};

export const MATRIX: { readonly [F in FaultId]: Row } = {
  killController: cut,
  freezeController: cut,
  killSourceAgent: { ...harmless, ...at(SOURCE, ...EARLY, "met") },
  freezeSourceAgent: { ...harmless, ...at(EITHER, "firstPage", ...SWITCHOVER) },
  // It ends what has not begun to copy; within its grace a meeting may have come to that.
  termSourceAgent: { ...harmless, ...at(EITHER, ...EARLY, "met") },
  killDestinationAgent: {
    ...harmless,
    ...at(SOURCE, ...EARLY, ...UNRELEASED, ...RELEASING, "keeperFreed"),
  },
  freezeDestinationAgent: { ...harmless, ...at(EITHER, ...EARLY, ...UNRELEASED, ...RELEASING) },
  termDestinationAgent: cut,
  killSourceQemu: {
    ...harmless,
    ...at(ends("lostAtSource"), ...EARLY, ...UNRELEASED),
    ...at(REAPED, "sourceReaped"),
  },
  freezeSourceQemu: { ...harmless, ...at(EITHER, ...SWITCHOVER), ...at(REAPED, "sourceReaped") },
  killDestinationQemu: {
    ...cut,
    ...at(ends("perished"), ...LANDING),
    // The answer of `cont` and the death are on their way at once: the first to be heard decides.
    ...at(ends("perished", "lostAtDestination"), "afterCont"),
    ...at(ends("lostAtDestination"), "beforeRename", "afterRename", ...LANDED),
  },
  freezeDestinationQemu: { ...harmless, ...at(SOURCE, ...SWITCHOVER) },
  killKeeper: cut,
  freezeKeeper: { ...harmless, ...at(EITHER, ...RELEASING) },
  // It was freed when its guest began to live here: the guest runs on, and its agent kills it if need be.
  killSourceKeeper: { ...harmless, ...at(KEEPER_ENDED, "sourceReaped") },
  freezeSourceKeeper: { ...harmless, ...at(KEEPER_ENDED, "sourceReaped") },
  ...links,
  rebootSource: {
    ...harmless,
    // Nothing durable says that it let go.
    ...at(ends("lostAtSource"), ...EARLY, ...UNRELEASED, "completed", "releasedUnsynced"),
  },
  rebootDestination: {
    ...at(SOURCE, ...EARLY, ...UNRELEASED, ...RELEASING, "keeperFreed", "landingUnsynced"),
    ...at(ends("perished"), "landingSynced", ...RUNNING),
    ...at(ends("lostAtDestination"), ...LANDED),
  },
  ...disks,
  ...kinds,
};
