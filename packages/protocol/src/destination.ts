/*
 * The destination's table: how a guest arrives, or does not. A guest is born here paused, under a
 * keeper that kills it if this agent dies, and it lives only as long as its caller's tether. It
 * wakes when three things were heard, in any order: its caller ordered it, the source released it,
 * and its own QEMU loaded it. Every other way out ends in a verdict too.
 */
import { type Cell, each, type Row, type Table } from "./table.js";

export type DestinationPhase =
  | "empty" // nothing is known of this migration
  | "preparing" // QEMU is being started; its keeper is armed from its birth
  | "prepared" // QEMU listens and the arrival is written down; nobody may send yet
  | ReceivingPhase
  | "untying" // all three heard: the keeper is being freed; nothing is written yet
  | "landing" // the point of no return is written down; the first `cont` is next
  | "relanding" // as landing, but a `cont` may have been sent before
  | "landed" // the guest is ours; the tether no longer matters
  | "discarding" // kill sent; not over until QEMU is reaped
  | "returned" // reaped, and the guest never ran here: the source may have it back
  | "perished"; // the guest may have run here and does not any more: a person decides

/** Bound to one source, and waiting for the three. `Due` means ordered and released. */
export type ReceivingPhase =
  | "receiving" // bound to its source; none of the three was heard
  | "receivingOrdered" // ordered
  | "receivingReleased" // released; QEMU still loads
  | "receivingDue" // ordered and released; QEMU still loads
  | "loaded" // loaded
  | "loadedOrdered" // loaded and ordered: waits for the source
  | "loadedReleased"; // loaded and released: waits for its caller

export type DestinationHeard =
  | "prepare" // the caller wants a guest received, and ties itself to it
  | "listening" // QEMU waits for the stream
  | "met" // the source has bound itself to this arrival
  | "loaded" // QEMU has all of the guest
  | "ordered" // Finish(land)
  | "released" // the source gave custody away
  | "bereft" // released, and the source's own QEMU is dead: land, ordered or not
  | "abandon" // Finish(abandon), or this agent gives up
  | "recalled" // the source will never release: kill yours
  | "override" // Finish(override): a person stands in for a source that is gone
  | "cut" // the tether's end
  | "restarted" // this agent is new to this QEMU, or has lost sight of it and found it again
  | "qemuGone" // reaped
  | "freed" // the keeper kills no more: from now on it only reaps
  | "ran" // QEMU says that the guest runs, or has run
  | "contRefused" // QEMU's explicit no to `cont`; silence is not a refusal
  | "keeperGone" // the keeper is dead, and QEMU is not
  | "waited"; // released long ago, and nothing can arrive any more

export type DestinationEffect =
  | "launch" // start a keeper and, under it, a QEMU that listens, paused
  | "kill" // SIGKILL until reaped
  | "freeKeeper" // tell the keeper to kill no more
  | "cont" // let the guest run
  | "look"; // ask QEMU whether the guest runs, and `cont` only if it does not

type Decision = Cell<DestinationPhase, DestinationEffect>;

const DISCARD = ["discarding", "kill"] as const;
const LAND = ["untying", "freeKeeper"] as const;
/** What a guest that nobody may keep is killed for; heard of no use once it has begun to land. */
const GIVEN_UP = ["abandon", "recalled", "cut", "restarted", "keeperGone"] as const;

/** Which of the three have been heard, in each phase that waits for them. */
interface Flags {
  readonly ordered: boolean;
  readonly released: boolean;
  readonly loaded: boolean;
}

const WAITING: { readonly [P in ReceivingPhase]: Flags } = {
  receiving: { ordered: false, released: false, loaded: false },
  receivingOrdered: { ordered: true, released: false, loaded: false },
  receivingReleased: { ordered: false, released: true, loaded: false },
  receivingDue: { ordered: true, released: true, loaded: false },
  loaded: { ordered: false, released: false, loaded: true },
  loadedOrdered: { ordered: true, released: false, loaded: true },
  loadedReleased: { ordered: false, released: true, loaded: true },
};

/** Once these have been heard: wait on, or land; nothing new is the same answer again. */
function add(had: Flags, heard: Partial<Flags>): Decision {
  const has = { ...had, ...heard };
  const same = (flags: Flags) =>
    flags.ordered === has.ordered && flags.released === has.released && flags.loaded === has.loaded;
  if (same(had)) return "repeat";
  const phases = Object.keys(WAITING) as ReceivingPhase[]; // keys of a literal
  const next = phases.find((phase) => same(WAITING[phase]));
  return next === undefined ? LAND : [next];
}

function waiting(
  phase: ReceivingPhase,
): Row<DestinationPhase, DestinationHeard, DestinationEffect> {
  const had = WAITING[phase];
  return {
    ordered: add(had, { ordered: true }),
    released: add(had, { released: true }),
    loaded: add(had, { loaded: true }),
    bereft: add(had, { ordered: true, released: true }), // settle forward: no order is needed
    override: had.loaded ? LAND : "refuse", // nothing can be landed that has not arrived
    waited: had.released && !had.loaded ? DISCARD : "refuse",
    ...each(DISCARD, ...GIVEN_UP),
    qemuGone: ["returned"],
    ...each("repeat", "listening", "met"),
    ...each("refuse", "prepare", "freed", "ran", "contRefused"),
  };
}

/** What the controller and the source can still say when it is too late to change anything. */
const SAID = ["listening", "met", "loaded", "ordered", "released", "bereft"] as const;

export const destination: Table<DestinationPhase, DestinationHeard, DestinationEffect> = {
  empty: {
    prepare: ["preparing", "launch"],
    ...each("repeat", "cut", "restarted", "qemuGone", "keeperGone"),
    ...each("refuse", ...SAID, "abandon", "recalled", "override"),
    ...each("refuse", "freed", "ran", "contRefused", "waited"),
  },
  preparing: {
    listening: ["prepared"],
    ...each(DISCARD, ...GIVEN_UP),
    qemuGone: ["returned"],
    ...each("refuse", "met", "loaded", "ordered", "released", "bereft", "override"),
    ...each("refuse", "prepare", "freed", "ran", "contRefused", "waited"),
  },
  prepared: {
    met: ["receiving"],
    ...each(DISCARD, ...GIVEN_UP),
    qemuGone: ["returned"],
    listening: "repeat",
    ...each("refuse", "loaded", "ordered", "released", "bereft", "override"),
    ...each("refuse", "prepare", "freed", "ran", "contRefused", "waited"),
  },
  receiving: waiting("receiving"),
  receivingOrdered: waiting("receivingOrdered"),
  receivingReleased: waiting("receivingReleased"),
  receivingDue: waiting("receivingDue"),
  loaded: waiting("loaded"),
  loadedOrdered: waiting("loadedOrdered"),
  loadedReleased: waiting("loadedReleased"),
  // Decided, but an agent that dies here leaves a record from before: the guest is returned. The
  // keeper goes first: one whose pipe closes late would kill a guest that has landed.
  untying: {
    freed: ["landing", "cont"],
    ...each(DISCARD, "recalled", "restarted", "keeperGone"),
    qemuGone: ["returned"],
    ...each("repeat", ...SAID, "abandon", "cut", "override", "waited"),
    ...each("refuse", "prepare", "ran", "contRefused"),
  },
  // The commit point. `landing` is on disk, and only then may the first `cont` be sent: from here
  // on nobody but QEMU can say whether the guest ever ran.
  landing: {
    ran: ["landed"],
    contRefused: DISCARD, // an explicit no to the only `cont` there ever was: it never ran
    qemuGone: ["perished"],
    restarted: ["relanding", "look"],
    ...each("repeat", ...SAID, "abandon", "recalled", "cut", "override", "waited"),
    ...each("repeat", "freed", "keeperGone"),
    prepare: "refuse",
  },
  relanding: {
    ran: ["landed"],
    contRefused: ["perished"], // it may have run and shut down: QEMU refuses to `cont` that, too
    qemuGone: ["perished"],
    restarted: ["relanding", "look"],
    ...each("repeat", ...SAID, "abandon", "recalled", "cut", "override", "waited"),
    ...each("repeat", "freed", "keeperGone"),
    prepare: "refuse",
  },
  landed: {
    ...each("repeat", ...SAID, "abandon", "recalled", "cut", "override", "waited"),
    ...each("repeat", "freed", "keeperGone", "ran", "contRefused", "qemuGone", "restarted"),
    prepare: "refuse",
  },
  discarding: {
    qemuGone: ["returned"],
    restarted: DISCARD,
    ...each("repeat", ...SAID, "abandon", "recalled", "cut", "waited"),
    ...each("repeat", "freed", "keeperGone", "contRefused"),
    ...each("refuse", "prepare", "override", "ran"),
  },
  returned: {
    ...each("repeat", ...SAID, "abandon", "recalled", "cut", "waited"),
    ...each("repeat", "freed", "keeperGone", "contRefused", "qemuGone", "restarted"),
    ...each("refuse", "prepare", "override", "ran"),
  },
  perished: {
    ...each("repeat", ...SAID, "abandon", "recalled", "cut", "waited"),
    ...each("repeat", "freed", "keeperGone", "ran", "contRefused", "qemuGone", "restarted"),
    ...each("refuse", "prepare", "override"),
  },
};
