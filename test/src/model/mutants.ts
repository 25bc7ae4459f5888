/*
 * Grades the walk: break one cell of a table on purpose, towards danger, and see that something
 * complains. A mutant is found by a broken law, by a world that never comes to rest, by a scenario
 * that ends elsewhere, or by resting places that the real tables do not have (or no longer have).
 */
import { cellNumber, type Side } from "./cells.js";
import { explore, type Walk } from "./explore.js";
import { Kept } from "./kept.js";
import { play, SCENARIOS, type Scenario } from "./scenarios.js";
import { ALL_FAULTS, FERRY, type Protocol, type Setting } from "./setting.js";
import type { World } from "./world.js";
import { Worlds } from "./worlds.js";

/** A cell as it is spelled in a table; the walk does not tell `refuse` from `repeat`. */
export type Spelled = readonly [next: string, ...effects: string[]] | "repeat";

export interface Mutant {
  readonly side: Side;
  readonly phase: string;
  readonly heard: string;
  readonly cell: Spelled;
}

/** Where a broken cell could lead that would hurt. */
const DANGERS: { readonly [S in Side]: readonly Spelled[] } = {
  source: [
    "repeat",
    ["retaking", "cont"],
    ["reclaimed"],
    ["released"],
    ["resuming", "cont"],
    ["destroying", "kill"],
    ["kept"],
    ["lost"],
    ["gone"],
    ["departed"],
  ],
  destination: [
    "repeat",
    ["loaded"],
    ["loadedReleased"],
    ["untying", "freeKeeper"],
    ["landing", "cont"],
    ["relanding", "look"],
    ["landed"],
    ["discarding", "kill"],
    ["returned"],
    ["perished"],
  ],
};

export function spell({ side, phase, heard, cell }: Mutant): string {
  return `${side}: ${phase}.${heard} → ${typeof cell === "string" ? cell : cell.join(" + ")}`;
}

/** Every mutant of a table: each cell led astray, and each move without its effect. */
function mutantsOf(side: Side): Mutant[] {
  const mutants: Mutant[] = [];
  for (const [phase, row] of Object.entries(FERRY[side])) {
    for (const [heard, now] of Object.entries(row as Record<string, Spelled | "refuse">)) {
      const real = now === "refuse" ? "repeat" : now;
      const idle: Spelled[] = typeof real !== "string" && real.length > 1 ? [[real[0]]] : [];
      for (const cell of [...DANGERS[side], ...idle]) {
        const changes = cell.toString() !== real.toString() && cell.toString() !== phase;
        if (changes) mutants.push({ side, phase, heard, cell });
      }
    }
  }
  return mutants;
}

/** The protocol with that one cell changed. */
function mutate({ side, phase, heard, cell }: Mutant): Protocol {
  const table = FERRY[side] as Record<string, Record<string, unknown>>; // cells by their names
  return { ...FERRY, [side]: { ...table, [phase]: { ...table[phase], [heard]: cell } } };
}

/** Every mutant of a cell that is ever heard: to break the others changes nothing. */
export function mutantsHeard(): Mutant[] {
  const heard = new Set(GRADES.flatMap((setting) => [...known(setting).kept.cells]));
  return [...mutantsOf("source"), ...mutantsOf("destination")].filter(
    ({ side, phase, heard: what }) => heard.has(cellNumber(side, phase, what)),
  );
}

const SMALL: Setting = {
  ...ALL_FAULTS,
  keepersDie: false,
  powerFails: false,
  disksFail: false,
  disksRefuse: false,
  monitorsFail: false,
};
const WITH_OVERRIDE: Setting = {
  ...ALL_FAULTS,
  disksFail: false,
  disksRefuse: false,
  override: "truthful",
};
const DISKS_LOST: Setting = {
  ...SMALL,
  qemusDie: false,
  contRefused: false,
  disksFail: true,
  override: "truthful",
};
const DISKS_REFUSE: Setting = { ...ALL_FAULTS, disksFail: false, override: "truthful" };

/** Walks that a mutant must survive, the quickest first. */
const GRADES: readonly Setting[] = [SMALL, WITH_OVERRIDE, DISKS_LOST, DISKS_REFUSE];

interface Known {
  readonly kept: Kept;
  readonly walk: Walk;
}

const walked = new Map<Setting, Known>();

/** What the real tables come to. */
function known(setting: Setting): Known {
  let it = walked.get(setting);
  if (it === undefined) {
    const kept = new Kept(new Worlds(setting.destinations));
    it = { kept, walk: explore(FERRY, setting, { keep: kept }) };
    walked.set(setting, it);
  }
  return it;
}

/** How a mutant was found, and by what; or else the worlds that only it reaches. */
export type Grade =
  | { readonly how: "law" | "scenario" | "places"; readonly by: string }
  | { readonly how: "lives"; readonly novel: readonly Novel[] };

/** A world that no real table reaches. */
export interface Novel {
  readonly world: World;
  /** Whether the real tables reach that one. */
  isReal(world: World): boolean;
}

export function grade(mutant: Mutant): Grade {
  const novel: Novel[] = [];
  const [first, ...others] = GRADES;
  const tries = [
    () => first && foundByWalk(mutant, first, novel),
    () => foundByScenario(mutant),
    ...others.map((setting) => () => foundByWalk(mutant, setting, novel)),
  ];
  let found: Grade | undefined;
  for (const attempt of tries) {
    found = attempt();
    if (found !== undefined) break;
  }
  return found ?? { how: "lives", novel };
}

function foundByWalk(mutant: Mutant, setting: Setting, novel: Novel[]): Grade | undefined {
  const { kept, walk: real } = known(setting);
  const but = cellNumber(mutant.side, mutant.phase, mutant.heard);
  const walk = explore(mutate(mutant), setting, {
    known: { kept, but },
    novel: (world) => novel.push({ world, isReal: (other) => kept.worlds.has(other) }),
  });
  if (walk.broken !== undefined) return { how: "law", by: walk.broken.law };
  const by = foundByPlaces(walk, real.restingPlaces);
  return by === undefined ? undefined : { how: "places", by };
}

function foundByPlaces(walk: Walk, real: ReadonlySet<string>): string | undefined {
  for (const place of walk.restingPlaces) if (!real.has(place)) return `it rests in ${place}`;
  for (const place of real) if (!walk.restingPlaces.has(place)) return `it never rests in ${place}`;
  return undefined;
}

const cellsPlayed = new Map<Scenario, ReadonlySet<number>>();

/** The cells that a scenario of the real tables reads. */
function cellsOf(scenario: Scenario): ReadonlySet<number> {
  let cells = cellsPlayed.get(scenario);
  if (cells === undefined) {
    const kept = new Kept(new Worlds(1));
    play(scenario, FERRY, kept);
    cells = kept.cells;
    cellsPlayed.set(scenario, cells);
  }
  return cells;
}

function foundByScenario(mutant: Mutant): Grade | undefined {
  const cell = cellNumber(mutant.side, mutant.phase, mutant.heard);
  const protocol = mutate(mutant);
  for (const scenario of SCENARIOS) {
    if (!cellsOf(scenario).has(cell)) continue;
    if (play(scenario, protocol) !== undefined) return { how: "scenario", by: scenario.title };
  }
  return undefined;
}
