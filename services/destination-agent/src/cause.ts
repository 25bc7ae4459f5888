import { Cause as WireCause } from "@ferry/contract";
import type { CutCause } from "@ferry/tether";

/** Why an arriving guest was discarded: a cut's cause, or something else that ended it. */
export type Cause =
  | CutCause
  | "agent_died"
  | "abandoned"
  | "recalled"
  | "qemu_died"
  | "keeper_died"
  | "host_fault";

const WIRE: Record<Cause, WireCause> = {
  cancelled: WireCause.CANCELLED,
  connection_lost: WireCause.CONNECTION_LOST,
  keepalive: WireCause.KEEPALIVE,
  heartbeat: WireCause.HEARTBEAT,
  deadline: WireCause.DEADLINE,
  shutdown: WireCause.SHUTDOWN,
  agent_died: WireCause.AGENT_DIED,
  abandoned: WireCause.ABANDONED,
  recalled: WireCause.RECALLED,
  qemu_died: WireCause.QEMU_DIED,
  keeper_died: WireCause.KEEPER_DIED,
  host_fault: WireCause.HOST_FAULT,
};

export function toWireCause(cause: Cause | undefined): WireCause {
  return cause === undefined ? WireCause.UNSPECIFIED : WIRE[cause];
}

/** Causes that are the tether's end: the guest was killed for its caller's, or its agent's, death. */
const CUTS: ReadonlySet<Cause | undefined> = new Set([
  "cancelled",
  "connection_lost",
  "keepalive",
  "heartbeat",
  "deadline",
  "shutdown",
  "agent_died",
] as const);

export function isCut(cause: Cause | undefined): cause is Cause {
  return CUTS.has(cause);
}

/** Reads a cause back from an ending. */
export function readCause(text: string | undefined): Cause | undefined {
  return text !== undefined && text in WIRE ? (text as Cause) : undefined; // checked by `in`
}
