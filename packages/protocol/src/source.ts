/*
 * The source's table: how a guest leaves, or stays. The guest runs here until QEMU has sent all of
 * it. Then, and only once that is written down, the source says `released` and lets go: from there
 * on it follows the destination's verdict, for as long as it takes to hear it. Until then it may
 * take the guest back alone, and tells the destination so (`recalled`).
 */
import { each, type Table } from "./table.js";

export type SourcePhase =
  | "idle" // the guest runs; nobody holds a lease
  | "begun" // leased; nothing has moved
  | "meeting" // dialling the destination's agent
  | "performing" // memory moves; written down with the arrival's number before it does
  | "cancelling" // QEMU was told to stop the copy
  | "retaking" // the cancel came too late, but nobody was told: the guest is woken here
  | "reclaimed" // the guest runs here, and a full old copy may exist there
  | "released" // custody is given away; only the destination's verdict, or a person, ends this
  | "bereft" // released, and our QEMU is dead: theirs is the only good copy
  | "resuming" // returned: the guest is woken here
  | "destroying" // landed there: our copy is being killed
  | "givingUp" // a person gave the guest up that perished there: our copy is being killed
  | "kept" // closed: the guest runs here
  | "lost" // our QEMU died with custody here; not startable until the destination said `returned`
  | "gone" // closed: no QEMU; the guest may be started afresh
  | "departed"; // closed: the guest lives elsewhere

export type SourceHeard =
  | "begin" // a controller wants a lease on the guest
  | "perform" // a controller says where to
  | "abort" // Abort, or the two agents cannot meet, or nothing moves any more
  | "lapsed" // the lease is over, or another migration took it
  | "met" // the destination named its arrival and where to send
  | "gate" // QEMU stands before the switchover, and Meet is fresh and the tether held
  | "stale" // QEMU stands before the switchover, and nobody may be there to take the guest
  | "sent" // QEMU completed, and the guest has not run since
  | "failedEarly" // the copy failed before the switchover was allowed: nothing complete is there
  | "failedLate" // it failed later, or nobody knows when: all of it may be there
  | "landed" // the destination's verdict: it is running, or has run, over there
  | "returned" // the destination's verdict: it never ran there, and never will
  | "perished" // the destination's verdict: a person's. Remembered: the person must know of it
  | "resumed" // QEMU runs the guest again
  | "qemuGone" // reaped
  | "restarted" // this agent is new to this departure; it looks at QEMU next
  | "override" // Confirm(override): a person takes the guest back whose destination is gone, or said `perished`
  | "giveUp"; // Confirm(override): a person has our copy destroyed, once the destination said `perished`

export type SourceEffect =
  | "meet" // dial the destination's agent
  | "migrate" // let QEMU send the guest's memory
  | "goOn" // let QEMU go through the switchover
  | "cancel" // stop the copy; QEMU runs the guest on by itself, unless it had completed
  | "cont" // let the guest run, again until it works
  | "kill"; // SIGKILL until reaped

/** What QEMU may say of a copy. */
const COPY = ["gate", "stale", "sent", "failedEarly", "failedLate"] as const;

export const source: Table<SourcePhase, SourceHeard, SourceEffect> = {
  idle: {
    begin: ["begun"],
    qemuGone: ["gone"],
    ...each("repeat", "abort", "lapsed", "restarted"),
    ...each("refuse", "perform", "met", ...COPY, "resumed"),
    ...each("refuse", "landed", "returned", "perished", "override", "giveUp"),
  },
  begun: {
    perform: ["meeting", "meet"],
    ...each(["kept"] as const, "abort", "lapsed", "restarted"),
    qemuGone: ["gone"],
    begin: "repeat",
    ...each("refuse", "met", ...COPY, "resumed"),
    ...each("refuse", "landed", "returned", "perished", "override", "giveUp"),
  },
  meeting: {
    met: ["performing", "migrate"],
    ...each(["kept"] as const, "abort", "returned", "restarted"),
    qemuGone: ["gone"],
    ...each("repeat", "begin", "perform", "lapsed"),
    ...each("refuse", ...COPY, "resumed", "landed", "perished", "override", "giveUp"),
  },
  performing: {
    gate: ["performing", "goOn"],
    ...each(["cancelling", "cancel"] as const, "abort", "stale", "returned"),
    sent: ["released"],
    failedEarly: ["kept"],
    failedLate: ["reclaimed"],
    qemuGone: ["lost"],
    ...each("repeat", "begin", "perform", "lapsed", "met", "restarted"),
    ...each("refuse", "resumed", "landed", "perished", "override", "giveUp"),
  },
  cancelling: {
    sent: ["retaking", "cont"], // too late to cancel, but `released` was not said: ours alone
    failedEarly: ["kept"],
    failedLate: ["reclaimed"],
    qemuGone: ["lost"],
    restarted: ["cancelling", "cancel"],
    ...each("repeat", "abort", "lapsed", "met", "gate", "stale", "returned"),
    ...each("refuse", "begin", "perform", "resumed", "landed", "perished", "override", "giveUp"),
  },
  retaking: {
    resumed: ["reclaimed"],
    qemuGone: ["lost"],
    restarted: ["retaking", "cont"],
    ...each("repeat", "abort", "lapsed", "met", ...COPY, "returned"),
    ...each("refuse", "begin", "perform", "landed", "perished", "override", "giveUp"),
  },
  reclaimed: {
    ...each(["kept"] as const, "returned", "override"),
    qemuGone: ["lost"],
    ...each("repeat", "abort", "lapsed", "met", ...COPY, "resumed", "restarted"),
    ...each("refuse", "begin", "perform", "landed", "perished", "giveUp"),
  },
  // The commit point. `released` is on disk before it is said, and nothing in this row takes the
  // guest back but the destination's own `returned` or a person's word.
  released: {
    landed: ["destroying", "kill"],
    ...each(["resuming", "cont"] as const, "returned", "override"),
    giveUp: ["givingUp", "kill"],
    // QEMU does not wake it by itself: it was taken back, and a predecessor died before it wrote so.
    resumed: ["kept"],
    qemuGone: ["bereft"],
    ...each("repeat", "perform", "lapsed", "met", "gate", "stale", "sent", "perished", "restarted"),
    ...each("refuse", "begin", "abort", "failedEarly", "failedLate"),
  },
  bereft: {
    landed: ["departed"],
    ...each(["gone"] as const, "returned", "override", "giveUp"),
    ...each("repeat", "perform", "lapsed", "met", ...COPY, "perished", "qemuGone", "restarted"),
    ...each("refuse", "begin", "abort", "resumed"),
  },
  resuming: {
    resumed: ["kept"],
    qemuGone: ["gone"],
    restarted: ["resuming", "cont"],
    ...each("repeat", "abort", "lapsed", "met", ...COPY, "returned", "override"),
    ...each("refuse", "begin", "perform", "landed", "perished", "giveUp"),
  },
  destroying: {
    qemuGone: ["departed"],
    restarted: ["destroying", "kill"],
    ...each("repeat", "lapsed", "met", ...COPY, "landed"),
    ...each("refuse", "begin", "perform", "abort", "returned", "perished", "resumed", "override"),
    giveUp: "refuse",
  },
  givingUp: {
    qemuGone: ["gone"],
    restarted: ["givingUp", "kill"],
    ...each("repeat", "lapsed", "met", ...COPY, "perished", "giveUp"),
    ...each("refuse", "begin", "perform", "abort", "resumed", "landed", "returned", "override"),
  },
  kept: {
    qemuGone: ["gone"],
    ...each("repeat", "abort", "lapsed", "met", ...COPY, "returned", "resumed", "restarted"),
    ...each("refuse", "begin", "perform", "landed", "perished", "override", "giveUp"),
  },
  lost: {
    landed: ["departed"],
    ...each(["gone"] as const, "returned", "override", "giveUp"),
    ...each("repeat", "abort", "lapsed", "met", ...COPY, "perished", "resumed"),
    ...each("repeat", "qemuGone", "restarted"),
    ...each("refuse", "begin", "perform"),
  },
  gone: {
    ...each("repeat", "abort", "lapsed", "met", ...COPY, "landed", "returned", "perished"),
    ...each("repeat", "resumed", "qemuGone", "restarted", "override", "giveUp"),
    ...each("refuse", "begin", "perform"),
  },
  departed: {
    ...each("repeat", "lapsed", "met", ...COPY, "landed", "perished"),
    ...each("repeat", "resumed", "qemuGone", "restarted"),
    ...each("refuse", "begin", "perform", "abort", "returned", "override", "giveUp"),
  },
};
