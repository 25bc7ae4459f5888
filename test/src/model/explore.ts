/*
 * Walks every world that can be reached, nearest first, so that the first broken law comes with the
 * shortest story there is. Then it asks, from the far end, which worlds can come to rest.
 */
import { destinationHappenings } from "./destination-happenings.js";
import type { Emit, Happening } from "./happening.js";
import { remember } from "./history.js";
import { brokenLaw, brokenPromise } from "./laws.js";
import { Places } from "./places.js";
import { restOf } from "./rest.js";
import type { Protocol, Setting } from "./setting.js";
import { sourceHappenings } from "./source-happenings.js";
import { tellStory } from "./story.js";
import { firstWorld, type World } from "./world.js";

export interface Walk {
  readonly worlds: number;
  readonly steps: number;
  /** The first broken law, and the shortest story that breaks it. */
  readonly broken?: { readonly law: string; readonly story: string };
  /** Where worlds came to rest, in words, and how many did there. */
  readonly rests: ReadonlyMap<string, number>;
  /** The same by the phases and QEMUs of every host: a broken table shows in these first. */
  readonly restingPlaces: ReadonlySet<string>;
}

export interface Limits {
  /** Leaves out happenings, and then a world rests only when nothing at all is left to happen. */
  readonly allows?: (happening: Happening, before: World) => boolean;
  /** Gives up, with an error, after so many worlds. */
  readonly worldsMax?: number;
}

/** Everything that can happen next. */
function happenings(world: World, protocol: Protocol, setting: Setting, emit: Emit): void {
  sourceHappenings(world, protocol, setting, emit);
  for (let at = 0; at < setting.destinations; at += 1) {
    destinationHappenings(world, at, protocol, setting, emit);
  }
}

export function explore(protocol: Protocol, setting: Setting, limits: Limits = {}): Walk {
  return new Search(protocol, setting, limits).run();
}

const NOT_AT_REST = "whoever waits is answered sooner or later: this world never comes to rest";

class Search {
  readonly #places = new Places();
  readonly #indexes = new Map<number, number>();
  readonly #worlds: number[] = [];
  readonly #parents: number[] = [];
  readonly #labels: number[] = [];
  readonly #labelNumbers = new Map<string, number>();
  readonly #labelNames: string[] = [];
  /** Calm steps, as pairs: what can come to rest is found by walking them backwards. */
  readonly #calm: number[] = [];
  readonly #rests = new Map<string, number>();
  readonly #restingPlaces = new Set<string>();
  readonly #resting: number[] = [];
  #steps = 0;
  #broken: { law: string; index: number; last?: string } | undefined;

  constructor(
    readonly protocol: Protocol,
    readonly setting: Setting,
    readonly limits: Limits,
  ) {}

  run(): Walk {
    this.#reach(firstWorld(this.setting.destinations), -1, "");
    for (let index = 0; index < this.#worlds.length && this.#broken === undefined; index += 1) {
      this.#leave(index);
    }
    if (this.#broken === undefined) this.#checkRest();
    const found = {
      worlds: this.#worlds.length,
      steps: this.#steps,
      rests: this.#rests,
      restingPlaces: this.#restingPlaces,
    };
    if (this.#broken === undefined) return found;
    const { law, index, last } = this.#broken;
    return { ...found, broken: { law, story: this.#story(index, last) } };
  }

  /** Takes every step out of one world. */
  #leave(index: number): void {
    const world = this.#world(index);
    const number = this.#worlds[index];
    let still = true;
    happenings(world, this.protocol, this.setting, (happening) => {
      if (this.#broken !== undefined) return;
      if (happening.next === world && happening.broken === undefined) return;
      if (this.limits.allows?.(happening, world) === false) return;
      const next = remember(happening.next);
      const law = happening.broken ?? brokenPromise(world, next);
      if (law !== undefined) {
        this.#broken = { law, index, last: `${happening.who}: ${happening.what}` };
        return;
      }
      if (this.#places.number(next) === number) return;
      this.#steps += 1;
      const to = this.#reach(next, index, `${happening.who}: ${happening.what}`);
      if (!happening.calm && this.limits.allows === undefined) return;
      still = false;
      this.#calm.push(index, to);
    });
    if (!still) return;
    const rest = restOf(world);
    if (rest === undefined) {
      this.#broken ??= { law: NOT_AT_REST, index };
      return;
    }
    this.#rests.set(rest, (this.#rests.get(rest) ?? 0) + 1);
    this.#restingPlaces.add(placeOf(world));
    this.#resting.push(index);
  }

  #reach(world: World, parent: number, label: string): number {
    const number = this.#places.number(world);
    const known = this.#indexes.get(number);
    if (known !== undefined) return known;
    const index = this.#worlds.length;
    if (index >= (this.limits.worldsMax ?? Number.POSITIVE_INFINITY)) {
      throw new Error(`more than ${index} worlds`);
    }
    this.#indexes.set(number, index);
    this.#worlds.push(number);
    this.#parents.push(parent);
    this.#labels.push(this.#labelNumber(label));
    const law = brokenLaw(world);
    if (law !== undefined) this.#broken ??= { law, index };
    return index;
  }

  #world(index: number): World {
    return this.#places.world(this.#worlds[index] ?? 0, this.setting.destinations);
  }

  #labelNumber(label: string): number {
    let number = this.#labelNumbers.get(label);
    if (number === undefined) {
      number = this.#labelNames.length;
      this.#labelNames.push(label);
      this.#labelNumbers.set(label, number);
    }
    return number;
  }

  /** Every world must be able to come to rest by itself: walks calm steps backwards from the rests. */
  #checkRest(): void {
    const rests = canReach(this.#resting, this.#calm, this.#worlds.length);
    const index = rests.indexOf(0);
    if (index !== -1) this.#broken = { law: NOT_AT_REST, index };
  }

  #story(index: number, last: string | undefined): string {
    const steps: { label: string; world: World }[] = [];
    for (let at = index; at >= 0; at = this.#parents[at] ?? -1) {
      steps.unshift({
        label: this.#labelNames[this.#labels[at] ?? 0] ?? "",
        world: this.#world(at),
      });
    }
    return tellStory(steps, last);
  }
}

function placeOf({ source, destinations }: World): string {
  const there = destinations.map((host) => `${host.phase}/${host.qemu}`);
  return [`${source.phase}/${source.qemu}`, ...there].join(" ");
}

/** Marks with 1 all that can reach one of `goals` by the given steps (pairs: from, to). */
function canReach(goals: readonly number[], pairs: readonly number[], size: number): Uint8Array {
  const first = new Int32Array(size).fill(-1);
  const next = new Int32Array(pairs.length / 2);
  for (let pair = 0; pair < next.length; pair += 1) {
    const to = pairs[pair * 2 + 1] ?? 0;
    next[pair] = first[to] ?? -1;
    first[to] = pair;
  }
  const reached = new Uint8Array(size);
  const open = [...goals];
  for (const goal of goals) reached[goal] = 1;
  for (let to = open.pop(); to !== undefined; to = open.pop()) {
    for (let pair = first[to] ?? -1; pair !== -1; pair = next[pair] ?? -1) {
      const from = pairs[pair * 2] ?? 0;
      if (reached[from] === 1) continue;
      reached[from] = 1;
      open.push(from);
    }
  }
  return reached;
}
