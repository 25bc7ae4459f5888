/*
 * What ends an arriving guest, and in which phase it finds it: every pair, with what must come of it.
 * The compiler counts the cells: leave one out and it does not build.
 */
import type { StagedPhase } from "./staging.js";

export const CAUSES = [
  "cancelled",
  "connection_lost",
  "keepalive",
  "heartbeat",
  "deadline",
  "agent_died",
  "shutdown",
  "abandoned",
  "recalled",
  "qemu_died",
  "keeper_died",
] as const;

export type CutCause = (typeof CAUSES)[number];

export type Cell =
  /** Its QEMU is killed and reaped, the verdict is `returned` with this cause, and the source has the guest. */
  | "returned"
  /** The same, but other evidence may come first. */
  | { readonly returnedBy: readonly CutCause[] }
  /** It has landed: the verdict stays, and the guest runs on. */
  | "landed"
  /** It has landed, and what happens is the guest's own end: the verdict stays all the same. */
  | "landedAndLost"
  /** The cause cannot happen in this phase: why, and that trying it harms nothing. */
  | { readonly impossible: string };

type Row = { readonly [P in StagedPhase]: Cell };

/** A cut kills in every phase before landing, and in none after. */
const ALWAYS: Row = {
  preparing: "returned",
  prepared: "returned",
  receiving: "returned",
  receivingOrdered: "returned",
  receivingReleased: "returned",
  receivingDue: "returned",
  loaded: "returned",
  loadedOrdered: "returned",
  loadedReleased: "returned",
  landed: "landed",
};

const UNMET = { impossible: "the two agents have not met: the source has nobody to say it to" };
/** A copy that is cancelled midway ends an older QEMU by itself, often before the source's word is there. */
const TORN = { returnedBy: ["recalled", "qemu_died"] } as const;
/**
 * The copy breaks off when its receiver is dead, and the source takes the guest back and says so: on a
 * busy machine that word may be there before the destination has seen the death itself.
 */
const broken = (cause: CutCause) => {
  const first = { returnedBy: [cause, "recalled"] } as const;
  return { ...ALWAYS, receiving: first, receivingOrdered: first };
};
const GIVEN = { impossible: "the source gave custody away: it has nothing to take back" };

export const CUTS: { readonly [C in CutCause]: Row } = {
  cancelled: ALWAYS,
  connection_lost: ALWAYS,
  keepalive: ALWAYS,
  heartbeat: ALWAYS,
  deadline: ALWAYS,
  agent_died: ALWAYS,
  shutdown: ALWAYS,
  abandoned: ALWAYS,
  recalled: {
    ...ALWAYS,
    receiving: TORN,
    receivingOrdered: TORN,
    preparing: UNMET,
    prepared: UNMET,
    receivingReleased: GIVEN,
    receivingDue: GIVEN,
    loadedReleased: GIVEN,
  },
  qemu_died: { ...broken("qemu_died"), landed: "landedAndLost" },
  keeper_died: broken("keeper_died"),
};
