/*
 * The instants at which something is broken, in the order in which a healthy migration passes them.
 * Each one is a place where a process of ours stands still and says so, or a state that QEMU tells:
 * none is a time that somebody guessed.
 */

/** A place in an agent at which it can be made to stand still: `hooks.ts` names them as they happen. */
export type Point =
  | "open monitor"
  | "before rename departure performing"
  | "before qmp migrate-continue"
  | "before rename departure released"
  | "before sync departure released"
  | "after sync departure released"
  | "before rename arrival landing"
  | "before sync arrival landing"
  | "after sync arrival landing"
  | "after qmp cont"
  | "before rename arrival guest"
  | "after rename arrival guest"
  | "before fifo kill"
  | "before rename departure departed"
  | "before rename departure kept"
  | "after rename departure kept";

export type Instant =
  | "starting"
  | "listening"
  | "met"
  | "firstPage"
  | "preSwitchover"
  | "deviceState"
  | "completed"
  | "releasedUnsynced"
  | "releasedSynced"
  | "keeperFreed"
  | "landingUnsynced"
  | "landingSynced"
  | "afterCont"
  | "beforeRename"
  | "afterRename"
  | "verdictTold"
  | "sourceReaped";

export interface InstantPlan {
  /** What the world looks like at it, for people. */
  readonly words: string;
  /** Who stands still where; undefined where QEMU itself, or the controller, is the one who waits. */
  readonly hold?: { readonly role: "source" | "destination"; readonly point: Point };
  /** The controller waits before it calls Perform. */
  readonly controllerWaits?: true;
  /** Memory is copied slowly, so that there is a middle of the copy. */
  readonly slowly?: true;
  /** The destination's QEMU is frozen at the gate and thawed once the fault is there. */
  readonly frozenDestination?: true;
}

export const INSTANTS: { readonly [I in Instant]: InstantPlan } = {
  starting: {
    words: "destination QEMU starts; its monitor has not answered",
    hold: { role: "destination", point: "open monitor" },
  },
  listening: {
    words: "destination QEMU listens; the controller has not called Perform",
    controllerWaits: true,
  },
  met: {
    words: "the agents have met; `performing` is not in force",
    hold: { role: "source", point: "before rename departure performing" },
  },
  firstPage: { words: "the first pages of memory were sent", slowly: true },
  preSwitchover: {
    words: "the guest stands at the gate (`pre-switchover`)",
    hold: { role: "source", point: "before qmp migrate-continue" },
  },
  deviceState: {
    words: "device state is sent; the destination has not said that it has everything",
    hold: { role: "source", point: "before qmp migrate-continue" },
    frozenDestination: true,
  },
  completed: {
    words: "source QEMU completed; `released` is not in force",
    hold: { role: "source", point: "before rename departure released" },
  },
  releasedUnsynced: {
    words: "`released` is written and not synced",
    hold: { role: "source", point: "before sync departure released" },
  },
  releasedSynced: {
    words: "`released` is synced and not said",
    hold: { role: "source", point: "after sync departure released" },
  },
  keeperFreed: {
    words: "the keeper is freed; `landing` is not in force",
    hold: { role: "destination", point: "before rename arrival landing" },
  },
  landingUnsynced: {
    words: "`landing` is written and not synced",
    hold: { role: "destination", point: "before sync arrival landing" },
  },
  landingSynced: {
    words: "`landing` is synced; no `cont` was sent",
    hold: { role: "destination", point: "after sync arrival landing" },
  },
  afterCont: {
    words: "the guest runs; the agent has not heard so",
    hold: { role: "destination", point: "after qmp cont" },
  },
  beforeRename: {
    words: "the agent knows that the guest runs; `landed` is not written",
    hold: { role: "destination", point: "before rename arrival guest" },
  },
  afterRename: {
    words: "`landed` is written and not synced",
    hold: { role: "destination", point: "after rename arrival guest" },
  },
  verdictTold: {
    words: "the source heard `landed`; its copy is not destroyed",
    hold: { role: "source", point: "before fifo kill" },
  },
  sourceReaped: {
    words: "the source's copy is destroyed; `departed` is not written",
    hold: { role: "source", point: "before rename departure departed" },
  },
};

export const INSTANT_IDS = Object.keys(INSTANTS) as Instant[]; // keys of a literal
