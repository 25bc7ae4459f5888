/*
 * What the kinds of fault must end in of which some instants stand for all: an agent that runs out of
 * something, a monitor that breaks alone, a caller that floods, a clock that is stepped, a pump, and a
 * tunnel where the other rows have none.
 */
import {
  at,
  cannot,
  cut,
  EARLY,
  EITHER,
  harmless,
  LANDED,
  LANDING,
  leftOut,
  only,
  REAPED,
  RELEASING,
  type Row,
  RUNNING,
  SOURCE,
  SWITCHOVER,
  UNRELEASED,
} from "./cells.js";
import { CLOCK_STEPS, type ClockStep } from "./clocks.js";
import type { IN_TUNNELS } from "./faults.js";
import { FLOOD_KINDS, type FloodKind } from "./flood.js";
import type { Instant } from "./instants.js";
import { each, pairs } from "./keys.js";
import { ROLES, type Role } from "./stage.js";

/** Cells of `row` at these instants; the others are left out. */
function some(reason: string, row: Row, ...instants: Instant[]): Row {
  return only(reason, Object.fromEntries(instants.map((instant) => [instant, row[instant]])));
}

const NO_CONNECTION = cannot("that monitor is not open yet");
const LET_GO = cannot("the destination agent has let go of that guest and its monitor");
const NO_PUMP_YET = cannot("that pump is not started yet");

const descriptors: { readonly [D in `noDescriptors:${Role}`]: Row } = {
  // Whatever it opens to write something down is refused: it keeps what is not given away, and repeats the rest.
  "noDescriptors:source": {
    ...harmless,
    ...at(EITHER, ...EARLY, ...UNRELEASED, "completed", "releasedUnsynced"),
  },
  "noDescriptors:destination": {
    ...harmless,
    ...at(EITHER, ...EARLY, ...UNRELEASED, ...RELEASING, "keeperFreed", "landingUnsynced"),
  },
};

/** A copy that has begun goes on without it; one that has not is given up if it is not open again by then. */
const sourceMonitor: Row = {
  ...harmless,
  ...at(EITHER, ...EARLY, "met"),
  ...at(REAPED, "sourceReaped"),
};
/** Nobody hears any more that the guest is loaded: it is discarded. Once it is to land, QEMU is looked at again. */
const destinationMonitor: Row = {
  ...harmless,
  ...at(NO_CONNECTION, "starting"),
  ...at(LET_GO, ...LANDED),
  ...at(SOURCE, "listening", ...UNRELEASED),
  ...at(EITHER, ...RELEASING, "keeperFreed"),
};
const DIALLED = "dialling again is the same there as at the instants that are run";

const monitors: { readonly [M in `monitor${"Lost" | "Gone"}:${Role}`]: Row } = {
  "monitorLost:source": sourceMonitor,
  "monitorLost:destination": destinationMonitor,
  "monitorGone:source": some(
    DIALLED,
    sourceMonitor,
    ...(["listening", "firstPage", ...SWITCHOVER, "completed", "releasedSynced"] as const),
    "verdictTold",
  ),
  "monitorGone:destination": some(
    DIALLED,
    destinationMonitor,
    ...(["listening", "firstPage", "completed", "keeperFreed", "landingUnsynced"] as const),
    ...(["landingSynced", "afterCont", "afterRename"] as const),
  ),
};

/** One of each step: Prepare, between the steps, Perform, the gate, the release, Finish, Confirm. */
const STEPS = ["starting", "listening", "firstPage", "preSwitchover", "completed"] as const;
const flooded = some(
  "one instant of each step is run",
  // The flood takes a processor from the switchover, which has a deadline.
  { ...harmless, ...at(EITHER, "preSwitchover") },
  ...STEPS,
  "landingSynced",
  "verdictTold",
);

/** Nothing is timed by a clock that can be stepped. */
const stepped = some(
  "a step at an instant that is run lasts beyond it",
  harmless,
  ...(["starting", "firstPage", "completed", "landingSynced"] as const),
);

const SAME_DISK = "what is written there is written at an instant that is run, too";
const CONSOLE = "QEMU opens its console on that disk, which the judge reads";
/** Refused, or there is room again before it is. */
const runSource: Row = { ...harmless, ...at(EITHER, ...EARLY, "met") };
const runDestination: Row = {
  ...harmless,
  ...at(EITHER, "listening", ...UNRELEASED, ...RELEASING),
};

const disks: { readonly [D in "full:both" | `runFull:${Role | "both"}`]: Row } = {
  "full:both": some(
    SAME_DISK,
    { ...harmless, ...at(EITHER, ...EARLY, "met") },
    ...EARLY,
    ...([
      "met",
      "firstPage",
      "completed",
      "releasedSynced",
      "landingUnsynced",
      "verdictTold",
    ] as const),
  ),
  "runFull:source": some(
    SAME_DISK,
    runSource,
    ...EARLY,
    ...(["met", "firstPage", "preSwitchover", "completed", "verdictTold", "sourceReaped"] as const),
  ),
  "runFull:destination": {
    ...some(
      SAME_DISK,
      runDestination,
      ...([
        "listening",
        "met",
        "firstPage",
        "preSwitchover",
        "completed",
        "releasedSynced",
      ] as const),
      ...(["keeperFreed", "landingSynced", "afterRename"] as const),
    ),
    ...at(leftOut(CONSOLE), "starting"),
  },
  "runFull:both": some(SAME_DISK, runDestination, "firstPage", "completed", "landingSynced"),
};

const CARRIED = cannot("that pump has carried everything, and ends by itself");
const pump = {
  ...at(NO_PUMP_YET, ...EARLY),
  ...at(CARRIED, ...RELEASING, ...LANDING, ...RUNNING, ...LANDED),
};
const pumpKilled: Row = {
  ...pump,
  ...at(SOURCE, "met", "firstPage", "preSwitchover"),
  ...at(EITHER, "deviceState"),
};
const pumpFrozen: Row = { ...pump, ...at(EITHER, ...UNRELEASED) };
const pumps: { readonly [P in `${"kill" | "freeze"}${"Source" | "Destination"}Pump`]: Row } = {
  killSourcePump: pumpKilled,
  freezeSourcePump: pumpFrozen,
  killDestinationPump: pumpKilled,
  freezeDestinationPump: pumpFrozen,
};

const STREAMED = ["firstPage", "preSwitchover", "completed", "landingSynced"] as const;
const TUNNELLED = "a tunnel changes nothing there";
const apart: Row = { ...harmless, ...at(EITHER, "met", "firstPage", ...SWITCHOVER) };
const tunnels: { readonly [T in `tunnel:${(typeof IN_TUNNELS)[number]}`]: Row } = {
  "tunnel:killController": some(TUNNELLED, cut, ...STREAMED),
  // The pump dies with its agent, and the copy with the pump.
  "tunnel:killSourceAgent": some(
    TUNNELLED,
    { ...harmless, ...at(SOURCE, ...UNRELEASED) },
    "met",
    ...STREAMED,
  ),
  "tunnel:freezeSourceAgent": some(
    TUNNELLED,
    { ...harmless, ...at(EITHER, "firstPage", ...SWITCHOVER) },
    ...STREAMED,
  ),
  "tunnel:termSourceAgent": some(
    TUNNELLED,
    { ...harmless, ...at(EITHER, ...UNRELEASED) },
    ...STREAMED,
  ),
  "tunnel:killDestinationAgent": some(
    TUNNELLED,
    { ...harmless, ...at(SOURCE, ...EARLY, ...UNRELEASED, ...RELEASING) },
    ...STREAMED,
  ),
  "tunnel:freezeDestinationAgent": some(
    TUNNELLED,
    { ...harmless, ...at(EITHER, ...UNRELEASED, ...RELEASING) },
    ...STREAMED,
  ),
  "tunnel:termDestinationAgent": some(TUNNELLED, cut, ...STREAMED),
  "tunnel:drop:sourceDestination": some(TUNNELLED, apart, "met", ...STREAMED),
  "tunnel:reset:sourceDestination": some(
    TUNNELLED,
    { ...apart, ...at(SOURCE, "firstPage", "preSwitchover") },
    "met",
    ...STREAMED,
  ),
  "tunnel:bytes:sourceDestination": some(TUNNELLED, apart, "met", ...STREAMED),
};

type Kinds =
  | keyof typeof descriptors
  | keyof typeof monitors
  | keyof typeof disks
  | keyof typeof pumps
  | keyof typeof tunnels
  | `flood:${FloodKind}:${Role}`
  | `clock:${ClockStep}:${Role}`;

export const kinds: { readonly [K in Kinds]: Row } = {
  ...descriptors,
  ...monitors,
  ...each(pairs(pairs(["flood"], FLOOD_KINDS), ROLES), () => flooded),
  ...each(pairs(pairs(["clock"], CLOCK_STEPS), ROLES), () => stepped),
  ...disks,
  ...pumps,
  ...tunnels,
};
