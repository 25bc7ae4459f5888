/*
 * Walks every world that can be reached, nearest first, so that the first broken law comes with the
 * shortest story there is. Then it asks, from the far end, which worlds can come to rest.
 */
import { canReach } from "./backwards.js";
import { cellsRead } from "./cells.js";
import { destinationHappenings } from "./destination-happenings.js";
import type { Emit, Happening } from "./happening.js";
import { remember } from "./history.js";
import { Ints } from "./ints.js";
import type { Kept, Rest } from "./kept.js";
import { brokenLaw, brokenPromise } from "./laws.js";
import { restOf } from "./rest.js";
import type { Protocol, Setting } from "./setting.js";
import { sourceHappenings } from "./source-happenings.js";
import { tellStory } from "./story.js";
import { firstWorld, liedIn, type World } from "./world.js";
import { Worlds } from "./worlds.js";

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
  /** Broken laws are counted here, not told, once a person has lied; nothing is walked from there. */
  readonly afterLies?: Map<string, number>;
  /** Leaves out happenings, and then a world rests only when nothing at all is left to happen. */
  readonly allows?: (happening: Happening, before: World) => boolean;
  /** Gives up, with an error, after so many worlds. */
  readonly worldsMax?: number;
  /** Remembers the walk in here. */
  readonly keep?: Kept;
  /** The same setting was walked before, with tables that differ in this one cell. */
  readonly known?: { readonly kept: Kept; readonly but: number };
  /** Is shown every world that the walk which is known did not reach. */
  readonly novel?: (world: World) => void;
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
  readonly #worlds: Worlds;
  /** Numbers of the worlds that were reached, nearest first. */
  readonly #reached = new Ints();
  #seen = new Uint8Array(1024);
  /** By place in `#reached`: the place it was reached from, and by what. */
  readonly #parents = new Ints();
  readonly #labels = new Ints();
  readonly #labelNumbers = new Map<string, number>();
  readonly #labelNames: string[] = [];
  /** Calm steps, as pairs: what can come to rest is found by walking them backwards. */
  readonly #calm = new Ints();
  readonly #rests = new Map<string, number>();
  readonly #restingPlaces = new Set<string>();
  readonly #resting: number[] = [];
  readonly #rereads: (world: number) => boolean;
  #steps = 0;
  /** `place` is where in `#reached` it happened; `last` an act that breaks a law by itself. */
  #broken: { law: string; place: number; last?: string } | undefined;

  constructor(
    readonly protocol: Protocol,
    readonly setting: Setting,
    readonly limits: Limits,
  ) {
    const { keep, known } = limits;
    this.#worlds = known?.kept.worlds ?? keep?.worlds ?? new Worlds(setting.destinations);
    this.#rereads = known?.kept.readersOf(known.but) ?? (() => true);
  }

  run(): Walk {
    const knownWorlds = this.#worlds.size;
    this.#reach(this.#worlds.number(firstWorld(this.setting.destinations)), -1, "");
    for (let place = 0; place < this.#reached.length && this.#broken === undefined; place += 1) {
      this.#leave(place);
    }
    if (this.#broken === undefined) this.#checkRest();
    const found = {
      worlds: this.#reached.length,
      steps: this.#steps,
      rests: this.#rests,
      restingPlaces: this.#restingPlaces,
    };
    const told =
      this.#broken === undefined
        ? found
        : { ...found, broken: { law: this.#broken.law, story: this.#story(this.#broken) } };
    if (this.limits.known !== undefined) this.#worlds.cut(knownWorlds);
    return told;
  }

  #leave(place: number): void {
    const number = this.#reached.at(place);
    const kept = this.limits.known?.kept;
    if (kept !== undefined && number < kept.size && !this.#rereads(number)) {
      this.#leaveKnown(place, number, kept);
    } else this.#leaveAnew(place, number);
  }

  /** Takes every step out of one world, as they are remembered. */
  #leaveKnown(place: number, number: number, kept: Kept): void {
    kept.eachStep(number, (to, calm) => {
      this.#steps += 1;
      this.#reach(to, place, "");
      if (calm) this.#calmStep(number, to);
    });
    const rest = kept.rests.get(number);
    if (rest !== undefined) this.#rest(number, rest);
  }

  /** Takes every step out of one world. */
  #leaveAnew(place: number, number: number): void {
    const world = this.#worlds.at(number);
    const { keep, allows, afterLies } = this.limits;
    if (afterLies !== undefined && liedIn(world) && brokenLaw(world) !== undefined) {
      this.#resting.push(number);
      return;
    }
    cellsRead();
    const taken: [to: number, calm: boolean][] = [];
    let still = true;
    happenings(world, this.protocol, this.setting, (happening) => {
      if (this.#broken !== undefined) return;
      if (happening.next === world && happening.broken === undefined) return;
      if (allows?.(happening, world) === false) return;
      const next = remember(happening.next);
      const label = `${happening.who}: ${happening.what}`;
      const law = happening.broken ?? brokenPromise(world, next);
      if (law !== undefined) {
        this.#breaks(next, { law, place, last: label });
        return;
      }
      const to = this.#worlds.number(next);
      if (to === number) return;
      this.#steps += 1;
      this.#reach(to, place, label);
      const calm = happening.calm || allows !== undefined;
      taken.push([to, calm]);
      if (!calm) return;
      still = false;
      this.#calmStep(number, to);
    });
    keep?.add(cellsRead());
    for (const [to, calm] of taken) keep?.step(to, calm);
    if (!still || this.#broken !== undefined) return;
    const why = restOf(world);
    if (why === undefined) {
      this.#breaks(world, { law: NOT_AT_REST, place });
      this.#resting.push(number); // if anybody lied
      return;
    }
    const rest = { why, place: placeOf(world) };
    keep?.rests.set(number, rest);
    this.#rest(number, rest);
  }

  #calmStep(from: number, to: number): void {
    this.#calm.push(from);
    this.#calm.push(to);
  }

  #rest(number: number, { why, place }: Rest): void {
    this.#rests.set(why, (this.#rests.get(why) ?? 0) + 1);
    this.#restingPlaces.add(place);
    this.#resting.push(number);
  }

  #reach(number: number, parent: number, label: string): void {
    if (this.#isNew(number) === false) return;
    const place = this.#reached.length;
    if (place >= (this.limits.worldsMax ?? Number.POSITIVE_INFINITY)) {
      throw new Error(`more than ${place} worlds`);
    }
    this.#reached.push(number);
    this.#parents.push(parent);
    this.#labels.push(this.#labelNumber(label));
    if (number < (this.limits.known?.kept.size ?? 0)) return; // its laws were looked at
    const world = this.#worlds.at(number);
    this.limits.novel?.(world);
    const law = brokenLaw(world);
    if (law !== undefined) this.#breaks(world, { law, place });
  }

  #breaks(world: World, broken: { law: string; place: number; last?: string }): void {
    const { afterLies } = this.limits;
    if (afterLies === undefined || !liedIn(world)) this.#broken ??= broken;
    else afterLies.set(broken.law, (afterLies.get(broken.law) ?? 0) + 1);
  }

  #isNew(number: number): boolean {
    if (number >= this.#seen.length) {
      const bigger = new Uint8Array(Math.max(number + 1, this.#seen.length * 2));
      bigger.set(this.#seen);
      this.#seen = bigger;
    }
    if (this.#seen[number] === 1) return false;
    this.#seen[number] = 1;
    return true;
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
    const rests = canReach(this.#resting, this.#calm, this.#worlds.size);
    for (let place = 0; place < this.#reached.length; place += 1) {
      if (rests[this.#reached.at(place)] === 1) continue;
      this.#broken = { law: NOT_AT_REST, place };
      return;
    }
  }

  #story({ place, last }: { place: number; last?: string }): string {
    const steps: { label: string; world: World }[] = [];
    for (let at = place; at >= 0; at = this.#parents.at(at)) {
      const label = this.#labelNames[this.#labels.at(at)] ?? "";
      steps.unshift({ label, world: this.#worlds.at(this.#reached.at(at)) });
    }
    return tellStory(steps, last);
  }
}

function placeOf({ source, destinations }: World): string {
  const there = destinations.map((host) => `${host.phase}/${host.qemu}`);
  return [`${source.phase}/${source.qemu}`, ...there].join(" ");
}
