/*
 * A world: one source host, and the hosts a guest may arrive at, frozen between two happenings.
 * A host has three memories: its agent's (gone when the agent dies), its disk's (which may lose
 * what was not synced when the power goes) and QEMU's. Beside them stands what only the walk knows:
 * which words are on their way, and what has ever run, so that the laws can be said as sentences.
 */
import type {
  DestinationEffect,
  DestinationHeard,
  DestinationPhase,
  SourceEffect,
  SourceHeard,
  SourcePhase,
  Verdict,
} from "@ferry/protocol";

/** The source's QEMU. It runs the guest in `runs`, `copies`, `failed`, `awake` and `fresh`. */
export type SourceQemu =
  | "runs" // nothing was ever sent
  | "copies"
  | "gate" // pre-switchover: the guest stands
  | "device" // the switchover: the guest stands
  | "sent" // completed: the guest stands
  | "failed" // the copy failed or was cancelled: QEMU let the guest run on by itself
  | "awake" // completed, and let run again
  | "dead"
  | "fresh"; // dead, and started anew from its disks by a person

/** A destination's QEMU. It runs the guest in `running` only. */
export type DestinationQemu =
  | "none"
  | "starting"
  | "listening"
  | "receiving"
  | "filled" // all bytes are on their way to it: it will have loaded sooner or later
  | "loaded"
  | "running"
  | "shutDown" // the guest ran and shut down; QEMU stays, and refuses `cont`
  | "dead";

export type Keeper =
  | "none"
  | "armed"
  | "orphaned" // its agent is dead: it kills as soon as it reads the end of its pipe
  | "freed"
  | "freedGone" // freed, and then dead
  | "gone"; // dead without having killed

/** What a person orders, once the destination's word will not come. */
export type PersonsWord = "override" | "giveUp";

/** What is written down of a departure. `arrival` is an `ArrivalNumber`. */
export interface SourceRecord {
  readonly phase: SourcePhase;
  readonly arrival: ArrivalNumber;
  /** A person's word is written down before anything is done: a successor hears it again. */
  readonly word: PersonsWord | "none";
}

/** Names one arrival at one destination for ever: see `arrivalNumber`. 0 is none. */
export type ArrivalNumber = number;

export interface SourceHost {
  readonly agent: boolean;
  readonly phase: SourcePhase;
  /** Which destination Perform named. */
  readonly target: number;
  readonly arrival: ArrivalNumber;
  /** `migrate-continue` was sent, or may have been before a restart. */
  readonly wentOn: boolean;
  /** The destination said `perished` to this agent. */
  readonly perished: boolean;
  /** Effects that were ordered and are not carried out yet, in order. */
  readonly queue: readonly SourceEffect[];
  /** The disk refused the ending that this led to: it is heard again, and nothing else before it. */
  readonly owed: SourceHeard | "nothing";
  readonly disk: SourceRecord | undefined;
  readonly synced: SourceRecord | undefined;
  readonly qemu: SourceQemu;
  /** The arrival that QEMU sends to; 0 when it sends nothing. */
  readonly peer: ArrivalNumber;
  /** History: it has said `released` or `bereft` to somebody. */
  readonly gaveAway: boolean;
  /** History: the guest has run elsewhere, so that this copy is an old one. */
  readonly old: boolean;
  /** History: a person stood in for the destination, or decided, and was heeded. */
  readonly overridden: boolean;
  /** History: and gave the guest up. */
  readonly givenUp: boolean;
  /** History: a person did so, and the destination was not down. */
  readonly lied: boolean;
}

export interface DestinationHost {
  readonly agent: boolean;
  readonly phase: DestinationPhase;
  readonly tether: "none" | "held" | "cut"; // cut: and not heard yet
  readonly queue: readonly DestinationEffect[];
  /** What `cont` or `query-status` answered, and nobody has heard yet. */
  readonly answer: "none" | "ran" | "refused";
  /** The disk refused what this led to: it is heard again; if that is an ending, nothing before it. */
  readonly owed: DestinationHeard | "nothing";
  readonly disk: DestinationPhase | undefined;
  readonly synced: DestinationPhase | undefined;
  readonly qemu: DestinationQemu;
  readonly keeper: Keeper;
  /** How many arrivals were prepared here under this id; the last one is the present one. */
  readonly arrivals: number;
  /** On their way, may be heard at any time: the source's dial, the endpoint in the answer to it. */
  readonly dialled: boolean;
  readonly endpointTold: boolean;
  /** On their way: what the source ever said of the present arrival. */
  readonly saidReleased: boolean;
  readonly saidBereft: boolean;
  readonly saidRecalled: boolean;
  /** On their way: the verdict on each arrival. */
  readonly told: readonly [Verdict, Verdict];
  /** History of the present arrival. */
  readonly ordered: boolean;
  readonly ran: boolean;
  /** The guest has run elsewhere since this copy was complete. */
  readonly old: boolean;
  readonly overridden: boolean;
  readonly lied: boolean;
}

export interface World {
  readonly source: SourceHost;
  readonly destinations: readonly DestinationHost[];
}

/** A second arrival under the same id needs a lost disk; a third shows nothing new. */
export const ARRIVALS_MAX = 2;

export function arrivalNumber(destination: number, arrivals: number): ArrivalNumber {
  return arrivals === 0 ? 0 : 1 + destination * ARRIVALS_MAX + (arrivals - 1);
}

export function destinationOf(arrival: ArrivalNumber): number {
  return Math.floor((arrival - 1) / ARRIVALS_MAX);
}

/** The verdict that was told of this very arrival. */
export function toldOf(world: World, arrival: ArrivalNumber): Verdict {
  if (arrival === 0) return "pending";
  return (
    world.destinations[destinationOf(arrival)]?.told[(arrival - 1) % ARRIVALS_MAX] ?? "pending"
  );
}

const SOURCE_AT_FIRST: SourceHost = {
  agent: true,
  phase: "idle",
  target: 0,
  arrival: 0,
  wentOn: false,
  perished: false,
  queue: [],
  owed: "nothing",
  disk: undefined,
  synced: undefined,
  qemu: "runs",
  peer: 0,
  gaveAway: false,
  old: false,
  overridden: false,
  givenUp: false,
  lied: false,
};

const DESTINATION_AT_FIRST: DestinationHost = {
  agent: true,
  phase: "empty",
  tether: "none",
  queue: [],
  answer: "none",
  owed: "nothing",
  disk: undefined,
  synced: undefined,
  qemu: "none",
  keeper: "none",
  arrivals: 0,
  dialled: false,
  endpointTold: false,
  saidReleased: false,
  saidBereft: false,
  saidRecalled: false,
  told: ["pending", "pending"],
  ordered: false,
  ran: false,
  old: false,
  overridden: false,
  lied: false,
};

/** The guest runs at the source, both agents are up, and nobody has said anything. */
export function firstWorld(destinations: number): World {
  return {
    source: SOURCE_AT_FIRST,
    destinations: Array.from({ length: destinations }, () => DESTINATION_AT_FIRST),
  };
}

export function runsHere(source: SourceHost): boolean {
  switch (source.qemu) {
    case "runs":
    case "copies":
    case "failed":
    case "awake":
    case "fresh":
      return true;
    default:
      return false;
  }
}

/** It has, or is about to have, everything that `cont` needs. */
export function hasCopy(destination: DestinationHost): boolean {
  return destination.qemu === "filled" || destination.qemu === "loaded";
}

export function qemuAlive(destination: DestinationHost): boolean {
  return destination.qemu !== "none" && destination.qemu !== "dead";
}

/** A person has stood in for a host that was not down. */
export function liedIn({ source, destinations }: World): boolean {
  return source.lied || destinations.some((host) => host.lied);
}
