/*
 * Grades the walk: break one cell of a table on purpose, towards danger, and see that something
 * complains. A mutant is found by a broken law, by a world that never comes to rest, by a scenario
 * that ends elsewhere, or by resting places that the real tables do not have (or no longer have).
 */
import { explore, type Walk } from "./explore.js";
import { play, SCENARIOS } from "./scenarios.js";
import { ALL_FAULTS, FERRY, type Protocol, type Setting } from "./setting.js";

export type Side = "source" | "destination";
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
  const heard = cellsHeard(WITH_OVERRIDE);
  return [...mutantsOf("source"), ...mutantsOf("destination")].filter(
    ({ side, phase, heard: what }) => heard.has(`${side}: ${phase}.${what}`),
  );
}

/** Cells that are ever heard in a walk, as `side: phase.heard`. */
function cellsHeard(setting: Setting): ReadonlySet<string> {
  const cells = new Set<string>();
  const watched = <Rows extends object>(side: Side, table: Rows): Rows =>
    watch(table, (phase, row) =>
      watch(row as object, (heard, cell) => {
        cells.add(`${side}: ${phase}.${heard}`);
        return cell;
      }),
    );
  const source = watched("source", FERRY.source);
  const destination = watched("destination", FERRY.destination);
  explore({ ...FERRY, source, destination }, setting);
  return cells;
}

/** The same object, but every property is read through `read`. */
function watch<It extends object>(it: It, read: (name: string, value: unknown) => unknown): It {
  return new Proxy(it, {
    get: (target, name) => read(String(name), target[name as keyof It]),
  });
}

const SMALL: Setting = {
  ...ALL_FAULTS,
  keepersDie: false,
  powerFails: false,
  disksFail: false,
  monitorsFail: false,
};
const WITH_OVERRIDE: Setting = { ...ALL_FAULTS, disksFail: false, override: "truthful" };

/** Walks that a mutant must survive, the quickest first. */
const GRADES: readonly Setting[] = [SMALL, WITH_OVERRIDE];

const places = new Map<Setting, ReadonlySet<string>>();

/** Where the real tables come to rest. */
function realPlaces(setting: Setting): ReadonlySet<string> {
  const known = places.get(setting) ?? explore(FERRY, setting).restingPlaces;
  places.set(setting, known);
  return known;
}

/** What complains about a mutant; undefined if nothing does. */
export function found(mutant: Mutant, grades: readonly Setting[] = GRADES): string | undefined {
  const protocol = mutate(mutant);
  const [first, ...others] = grades;
  return (
    (first && foundByWalk(protocol, first)) ??
    foundByScenario(protocol) ??
    others.reduce<string | undefined>(
      (by, setting) => by ?? foundByWalk(protocol, setting),
      undefined,
    )
  );
}

function foundByWalk(protocol: Protocol, setting: Setting): string | undefined {
  const walk = explore(protocol, setting);
  return walk.broken?.law ?? foundByPlaces(walk, realPlaces(setting));
}

function foundByPlaces(walk: Walk, real: ReadonlySet<string>): string | undefined {
  for (const place of walk.restingPlaces) if (!real.has(place)) return `it rests in ${place}`;
  for (const place of real) if (!walk.restingPlaces.has(place)) return `it never rests in ${place}`;
  return undefined;
}

function foundByScenario(protocol: Protocol): string | undefined {
  for (const scenario of SCENARIOS) {
    if (play(scenario, protocol) !== undefined) return `scenario: ${scenario.title}`;
  }
  return undefined;
}
