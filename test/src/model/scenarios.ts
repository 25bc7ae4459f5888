/*
 * A table that does nothing breaks no law. So what must come of things is played, too: each
 * scenario is a walk in which only a few things may happen, and every one of them must happen
 * before a world counts as at rest. All interleavings of them are played, not one.
 */
import { explore } from "./explore.js";
import type { Happening } from "./happening.js";
import type { Kept } from "./kept.js";
import { ALL_FAULTS, type Protocol, type Setting } from "./setting.js";
import { hasCopy, type World } from "./world.js";

const HOME = "at home: it never left, or came back";
const ENDED = "ended at home; it may be started anew";
const MOVED = "moved: it lives, or has ended, over there";
const PERISHED = "a person: given away, and perished";
const HOME_BY_WORD = "at home, by a person's word";
const ENDED_BY_WORD = "ended at home, by a person's word";

type When = (world: World) => boolean;

export interface Scenario {
  readonly title: string;
  /** Beside a migration in which everybody does their part: what else may happen, and when. */
  readonly also: { readonly [what: string]: true | When };
  /** Parts of a healthy migration that do not happen, or only then. */
  readonly without?: { readonly [what: string]: true | When };
  /** Where all worlds end, and each of these is an end of some. */
  readonly ends: readonly string[];
}

/** What happens when nothing goes wrong, short of the caller's order. */
const HEALTHY: ReadonlySet<string> = new Set([
  ...["begin", "perform", "met", "gate", "sent", "landed", "returned", "resumed", "qemuGone"].map(
    (heard) => `source: hears ${heard}`,
  ),
  "source: QEMU stands at the gate",
  "source: QEMU sends the last byte",
  "source: QEMU completes",
  ...["prepare", "listening", "met", "loaded", "released", "freed", "ran", "qemuGone"].map(
    (heard) => `destination A: hears ${heard}`,
  ),
  "destination A: QEMU listens",
  "destination A: QEMU has loaded",
]);

const ORDER = "destination A: hears ordered";
const ABANDON = "destination A: hears abandon";
const CUT = { "destination A: tether is cut": true, "destination A: hears cut": true } as const;
const RECALLED = { "destination A: hears recalled": true } as const;
const AGENT_DIES = "destination A: agent dies";
const AGENT_BACK = { "destination A: agent comes back": true } as const;

const phaseThere = ({ destinations }: World) => destinations[0]?.phase;
const there = (world: World) => {
  const [host] = world.destinations;
  if (host === undefined) throw new Error("scenarios have one destination");
  return host;
};
const lacksCopy: When = (world) => there(world).qemu === "receiving";
const landing: When = (world) =>
  there(world).disk === "landing" || there(world).disk === "relanding";
const isReceiving: When = (world) => /^(receiving|loaded)/.test(phaseThere(world) ?? "");
const isOrdered: When = (world) => /(Ordered|Due)$/.test(phaseThere(world) ?? "");
const releasedThere: When = (world) => /Released$/.test(phaseThere(world) ?? "");

/** Its power is lost once all of the guest is on its way, and its agent is back when it is too late. */
const SOURCE_HOST_IS_GONE = {
  also: {
    "source: host loses its power": (world) => hasCopy(there(world)) && isReceiving(world),
    "source: agent comes back": (world) => phaseThere(world) === "landed",
    "destination A: hears override": (world) => !there(world).overridden,
  },
  without: {
    "source: QEMU completes": ({ source }) => source.qemu === "dead",
    "source: hears sent": ({ source }) => source.qemu === "dead",
    "source: QEMU dies": true,
  },
} satisfies Pick<Scenario, "also" | "without">;

export const SCENARIOS: readonly Scenario[] = [
  {
    title: "ordered, released and loaded land the guest, whichever is heard first",
    also: { [ORDER]: true },
    ends: [MOVED],
  },
  {
    title:
      "an order that was answered once is remembered, and is not forgotten when it is repeated",
    also: { [ORDER]: (world) => !there(world).ordered || isOrdered(world) },
    ends: [MOVED],
  },
  {
    title:
      "an agent that dies in `landing`, before or after `cont`, lands the guest when it is back",
    also: { [ORDER]: true, [AGENT_DIES]: landing, ...AGENT_BACK },
    ends: [MOVED],
  },
  {
    title: "an agent that loses sight of QEMU in `landing` looks again, and lands the guest",
    also: { [ORDER]: true, "destination A: hears restarted": landing },
    ends: [MOVED],
  },
  {
    title: "an agent that dies between freeing the keeper and writing `landing` returns the guest",
    also: {
      [ORDER]: true,
      [AGENT_DIES]: (world) => there(world).keeper === "freed" && there(world).disk === "prepared",
      ...AGENT_BACK,
    },
    without: { "destination A: hears freed": true },
    ends: [HOME],
  },
  {
    title: "a guest that is abandoned after its release goes home",
    also: { [ABANDON]: releasedThere },
    ends: [HOME],
  },
  {
    title: "a guest whose tether is cut after its release goes home",
    also: { "destination A: tether is cut": releasedThere, "destination A: hears cut": true },
    ends: [HOME],
  },
  {
    title:
      "an agent that drains cuts what has not landed and ends, and its successor says the same",
    also: {
      [ORDER]: true,
      "destination A: tether is cut": releasedThere,
      "destination A: hears cut": true,
      [AGENT_DIES]: (world) =>
        world.source.phase === "released" && /^(returned|landed)$/.test(phaseThere(world) ?? ""),
      ...AGENT_BACK,
    },
    ends: [HOME, MOVED],
  },
  {
    title: "a guest is kept when nobody may be there to take it at the gate",
    also: { "source: hears stale": true, "source: hears failedEarly": true, ...RECALLED },
    without: { "source: hears gate": true },
    ends: [HOME],
  },
  {
    title: "a source agent that dies at the gate or in the switchover goes on when it is back",
    also: {
      [ORDER]: true,
      "source: agent dies": ({ source }) => /gate|device|sent/.test(source.qemu),
      "source: agent comes back": true,
    },
    ends: [MOVED],
  },
  {
    title: "a guest whose source dies after the release lands with no order given",
    also: {
      "source: QEMU dies": ({ source }) => source.phase === "released",
      "destination A: hears bereft": true,
    },
    ends: [MOVED],
  },
  {
    title: "a guest whose source dies after the release lands, ordered or not",
    also: {
      [ORDER]: true,
      "source: QEMU dies": ({ source }) => source.phase === "released",
      "destination A: hears bereft": true,
    },
    ends: [MOVED],
  },
  {
    title: "a guest whose source dies lands though `released` itself was lost on its way",
    also: {
      "source: QEMU dies": ({ source }) => source.phase === "released",
      "destination A: hears bereft": true,
    },
    without: { "destination A: hears released": true },
    ends: [MOVED],
  },
  {
    title:
      "a guest whose source dies lands though `released` itself was lost on its way, ordered or not",
    also: {
      [ORDER]: true,
      "source: QEMU dies": ({ source }) => source.phase === "released",
      "destination A: hears bereft": true,
    },
    without: { "destination A: hears released": true },
    ends: [MOVED],
  },
  {
    title: "a copy that fails in the switchover is recalled, and no old copy is left",
    also: {
      "source: QEMU's copy fails": ({ source }) => source.qemu === "device",
      "source: hears failedLate": true,
      ...RECALLED,
    },
    without: { "source: QEMU completes": true },
    ends: [HOME],
  },
  {
    title: "a copy that fails before the switchover is recalled, and the guest stays",
    also: {
      "source: QEMU's copy fails": ({ source }) => source.qemu === "copies",
      "source: hears failedEarly": true,
      ...RECALLED,
    },
    without: { "source: QEMU stands at the gate": true },
    ends: [HOME],
  },
  {
    title: "an abort stops the copy, though the tether is held",
    also: {
      "source: hears abort": ({ source }) =>
        source.phase === "performing" && source.qemu === "copies",
      "source: hears failedEarly": ({ source }) => source.phase === "cancelling",
      ...RECALLED,
    },
    without: { "source: QEMU stands at the gate": true },
    ends: [HOME],
  },
  {
    title: "an abort that comes too late for QEMU still takes the guest back, as nobody was told",
    also: {
      "source: hears abort": ({ source }) =>
        source.phase === "performing" && source.qemu === "sent",
      ...RECALLED,
    },
    without: { "source: hears sent": ({ source }) => source.phase === "performing" },
    ends: [HOME],
  },
  {
    title: "a source that dies while memory moves has its arrival cleaned up",
    also: {
      "source: QEMU dies": ({ source }) => source.phase === "performing",
      ...RECALLED,
    },
    without: { "source: hears sent": true },
    ends: [ENDED],
  },
  {
    title:
      "a destination's QEMU that refuses the first `cont` is discarded, and the guest goes home",
    also: {
      [ORDER]: true,
      "destination A: does cont, and QEMU refuses": true,
      "destination A: hears contRefused": true,
    },
    without: { "destination A: does cont": true },
    ends: [HOME],
  },
  {
    title: "a QEMU that dies between `landing` and the proof that it ran is told to a person",
    also: { [ORDER]: true, "destination A: QEMU dies": landing, "source: hears perished": true },
    without: { "destination A: hears ran": true },
    ends: [PERISHED],
  },
  {
    title: "a person takes back a guest that perished",
    also: {
      [ORDER]: true,
      "destination A: QEMU dies": landing,
      "source: hears perished": true,
      "source: hears override": ({ source }) => source.perished,
    },
    without: { "destination A: hears ran": true },
    ends: [HOME_BY_WORD],
  },
  {
    title: "a person gives up a guest that perished, and what stands still there is cleared away",
    also: {
      [ORDER]: true,
      [AGENT_DIES]: landing,
      ...AGENT_BACK,
      "destination A: hears contRefused": (world) => phaseThere(world) === "relanding",
      "destination A: guest shuts down by itself": true,
      "destination A: clears what perished": true,
      "source: hears perished": true,
      "source: hears giveUp": true,
    },
    without: { "destination A: hears ran": true },
    ends: [ENDED_BY_WORD],
  },
  {
    title: "an agent that dies once it has woken a guest again says so when it is back",
    also: {
      "destination A: host loses its power": ({ source }) => source.phase === "released",
      "source: hears override": ({ source }) => source.phase === "released",
      "source: agent dies": ({ source }) => source.qemu === "awake" && source.phase === "resuming",
      "source: agent comes back": true,
    },
    ends: [HOME],
  },
  {
    title: "a guest whose last bytes are lost is given up after a while, and goes home",
    also: {
      "destination A: the last bytes are lost on their way": ({ source }) =>
        source.phase === "released",
      "destination A: hears waited": ({ source }) => source.qemu === "sent",
    },
    without: { "destination A: QEMU has loaded": true },
    ends: [HOME],
  },
  {
    title: "a guest whose last bytes are lost is given up after a while, ordered or not",
    also: {
      [ORDER]: true,
      "destination A: the last bytes are lost on their way": ({ source }) =>
        source.phase === "released",
      "destination A: hears waited": ({ source }) => source.qemu === "sent",
    },
    without: { "destination A: QEMU has loaded": true },
    ends: [HOME],
  },
  {
    title: "a lease that nobody uses ends, and harms nothing",
    also: { "source: hears lapsed": true, ...CUT },
    without: { "source: hears perform": true },
    ends: [HOME],
  },
  {
    title: "a lease that ends once Perform was called ends nothing",
    also: {
      [ORDER]: true,
      "source: hears lapsed": ({ source }) => source.phase !== "begun",
    },
    ends: [MOVED],
  },
  {
    title: "two agents that do not meet give up, and the tether cleans up",
    also: { "source: hears abort": ({ source }) => source.phase === "meeting", ...CUT },
    without: { "destination A: hears met": true },
    ends: [HOME],
  },
  {
    title: "a person lands a guest that has loaded when its source's host is gone",
    also: {
      [ORDER]: true,
      "source: host loses its power": ({ source }) =>
        source.phase === "performing" && source.qemu === "device",
      "source: agent comes back": (world) => phaseThere(world) === "landed",
      "destination A: hears override": true,
    },
    without: {
      "source: QEMU completes": true,
      "source: QEMU dies": true,
      "source: host loses its power": lacksCopy,
    },
    ends: [MOVED],
  },
  {
    title:
      "a person who says it once lands a guest that has loaded, released or not, with no order",
    ...SOURCE_HOST_IS_GONE,
    ends: [MOVED],
  },
  {
    title: "a person who says it once lands a guest that has loaded, released or not, and ordered",
    ...SOURCE_HOST_IS_GONE,
    also: { ...SOURCE_HOST_IS_GONE.also, [ORDER]: (world) => !there(world).ordered },
    ends: [MOVED],
  },
  {
    title: "a person takes a guest back when its destination's host is gone after the release",
    also: {
      "destination A: host loses its power": ({ source }) => source.phase === "released",
      "source: hears override": true,
    },
    ends: [HOME],
  },
  {
    title: "a person gives a guest up that died at its source while its destination's host is gone",
    also: {
      "source: QEMU dies": ({ source }) =>
        source.phase === "performing" || source.phase === "released",
      "destination A: host loses its power": ({ source }) => source.qemu === "dead",
      "source: hears override": true,
    },
    without: {
      "source: hears sent": ({ source }) => source.qemu === "dead",
      "destination A: hears released": true,
    },
    ends: [ENDED],
  },
  {
    title: "a person closes a late failure whose old copy's host is gone",
    also: {
      "source: QEMU's copy fails": ({ source }) => source.qemu === "device",
      "source: hears failedLate": true,
      "destination A: host loses its power": ({ source }) => source.phase === "reclaimed",
      "source: hears override": true,
    },
    without: { "source: QEMU completes": true },
    ends: [HOME],
  },
];

/** Nothing but what a scenario names goes wrong in it. */
const SETTING: Setting = { ...ALL_FAULTS, disksFail: false, override: "truthful" };

/** Undefined if all went as the scenario says; else what did not. `keep` remembers what was walked. */
export function play(scenario: Scenario, protocol: Protocol, keep?: Kept): string | undefined {
  const allows = ({ who, what }: Happening, before: World) => {
    const name = `${who}: ${what}`;
    const left = scenario.without?.[name];
    if (left === true || left?.(before) === true) return false;
    if (HEALTHY.has(name) || (what.startsWith("does ") && !what.endsWith("refuses"))) return true;
    const also = scenario.also[name];
    return also === true || also?.(before) === true;
  };
  const limits = { allows, worldsMax: 20_000, ...(keep === undefined ? {} : { keep }) };
  const walk = explore(protocol, SETTING, limits);
  if (walk.broken !== undefined) return `${walk.broken.law}\n${walk.broken.story}`;
  const ends = [...walk.rests.keys()].sort();
  const expected = [...scenario.ends].sort();
  return ends.join() === expected.join() ? undefined : `it ends ${ends.join(" or ")}`;
}
