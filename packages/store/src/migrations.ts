/*
 * Migrations under way: folders with a record and every ending a migration can have, written
 * beforehand.
 *
 *   arrivals/M/record.json                   guests/G/record.json
 *   arrivals/M/endings/landed.M.….json  ──▶  guests/G/endings/landed.M.….json  ──▶  endings/M.….json
 *   arrivals/M/endings/returned.M.….json
 *        │                          (1) one rename of the folder                (2) whenever it may
 *        └──▶ endings/M.….json
 *
 * An ending that keeps nothing is one rename into endings/; the folder goes away afterwards. Landing
 * is the rename of the whole folder (1), because guest and verdict must change together. Its ending
 * travels inside and is taken out later (2): whoever lists endings looks there as well, and nobody
 * removes a guest's folder without taking it out first.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Ahead } from "./ahead.js";
import type { Endings } from "./endings.js";
import { StoreExists, StoreUnwritable } from "./errors.js";
import type { Folders } from "./folders.js";
import type { Durability } from "./record.js";

export interface MigrationsOptions<
  Body,
  Phase extends string,
  Ending extends { readonly phase: string },
> {
  readonly folders: Folders<Body>;
  readonly endings: Endings<Ending>;
  /** Every phase a migration can end in. */
  readonly phases: readonly Phase[];
}

/** What an agent asks of the migrations that ended. */
export type Kept<Ending extends { readonly phase: string }> = Pick<
  Endings<Ending>,
  "list" | "annotate" | "acknowledge"
> &
  Pick<Migrations<unknown, string, Ending>, "sweep">;

export class Migrations<Body, Phase extends string, Ending extends { readonly phase: string }> {
  readonly #folders: Folders<Body>;
  readonly #endings: Endings<Ending>;
  readonly #phases: readonly Phase[];
  /** How a migration is about to end, once all is done that comes before its ending is taken. */
  readonly #ready = new Ahead<Phase | undefined>();

  constructor({ folders, endings, phases }: MigrationsOptions<Body, Phase, Ending>) {
    this.#folders = folders;
    this.#endings = endings;
    this.#phases = phases;
  }

  /** Accepts a migration. When it returns, no full disk can keep it from ending. */
  async create(id: string, body: Body, endingOf: (phase: Phase) => Ending): Promise<void> {
    if (await this.#endings.exists(id)) {
      throw new StoreExists(
        join(this.#folders.folder(id)),
        "its migration has ended: an id is used once",
      );
    }
    const endings = this.#phases.map((phase) =>
      this.#endings.beforehand(id, phase, endingOf(phase)),
    );
    await this.#folders.create(id, body, new Map(endings));
  }

  /** The disk can be written again: removes what was refused meanwhile and is there all the same. */
  removeRefused(): Promise<void> {
    return this.#folders.removeRefused();
  }

  /** Writes a record that is likely to come: `update` with the very same one is quick then. */
  foresee(id: string, body: Body): Promise<void> {
    return this.#folders.foresee(id, body);
  }

  update(id: string, body: Body, durability: Durability = "fsync"): Promise<void> {
    return this.#folders.update(id, body, durability);
  }

  read(id: string): Promise<Body | undefined> {
    return this.#folders.read(id);
  }

  /** Those that have not ended. */
  async list(): Promise<Body[]> {
    const ended = new Set(await this.#endings.ids());
    const ids = (await this.#folders.ids()).filter((id) => !ended.has(id));
    const bodies = await Promise.all(ids.map((id) => this.#folders.read(id)));
    return bodies.filter((body) => body !== undefined);
  }

  /** Adds to endings of a migration under way, durably, so that one that is taken later has it. */
  async foretell(id: string, phases: readonly Phase[], more: Partial<Ending>): Promise<void> {
    const folder = this.#folders.folder(id);
    for (const phase of phases) await this.#endings.foretell(folder, id, phase, more);
  }

  /** Does what `end` does before it takes the ending, for whoever will be waited for then. */
  async readyEnd(id: string, phase: Phase): Promise<void> {
    const readying = this.#isToEnd(id, phase).then((toEnd) => (toEnd ? phase : undefined));
    await this.#ready.begin(id, readying);
  }

  /**
   * Ends a migration; `clear` removes what is left of it. Repeating it does no harm; ending it
   * otherwise is refused.
   */
  async end(id: string, phase: Phase): Promise<void> {
    assert.ok(this.#phases.includes(phase), `"${phase}" is a phase a migration can end in`);
    const ready = await this.#ready.take(id); // a second try looks again
    if (ready !== phase && !(await this.#isToEnd(id, phase))) return;
    await this.#endings.take(this.#folders.folder(id), id, phase);
  }

  /** False if it has ended so already. Its ending is stamped, and only to be taken. */
  async #isToEnd(id: string, phase: Phase): Promise<boolean> {
    if (await this.#endings.isEnded(id, phase)) return false;
    await this.#endings.stamp(this.#folders.folder(id), id, phase);
    return true;
  }

  /** Removes the folder of a migration that has ended; left undone, it is done at the next start. */
  async clear(id: string): Promise<void> {
    const finish = await this.hide(id);
    await finish();
  }

  /** The first half of `clear`: the folder is out of sight. Answers the second. */
  async hide(id: string): Promise<() => Promise<void>> {
    try {
      const finish = await this.#folders.hide(id);
      return () => finish().catch(ignoreUnwritable);
    } catch (error) {
      ignoreUnwritable(error);
      return async () => {};
    }
  }

  /**
   * Ends a migration by handing its folder over, with its ending in it: `Endings.rescue` takes it
   * out. Repeating it does no harm.
   */
  async handOver(id: string, phase: Phase, guests: Folders<unknown>, name: string): Promise<void> {
    const [ended, moved] = await Promise.all([
      this.#endings.isEnded(id, phase),
      this.#endings.liesIn(guests.folder(name), id, phase),
    ]);
    if (ended) return;
    if (moved) {
      await guests.sync(); // moved before, and perhaps not durably
      await this.#folders.sync();
    } else {
      await this.#endings.stamp(this.#folders.folder(id), id, phase);
      await this.#folders.moveTo(id, guests, name);
    }
  }

  /** Forgets endings that were acknowledged and are old enough. Returns their ids. */
  sweep(now: Date): Promise<string[]> {
    // A folder that could not be removed when it ended would look like a migration under way.
    return this.#endings.sweep(now, (id) => this.#folders.remove(id));
  }

  /**
   * After a crash, before anything is believed: a predecessor may have died between the rename that
   * shows a record and the sync that makes it last. Whoever read it and said so would say what a
   * power loss takes back.
   */
  async settle(): Promise<void> {
    await this.#endings.sync();
    await this.#folders.settle();
  }

  /** After a crash: what ended keeps no folder, and what was left unfinished goes. */
  async tidy(): Promise<void> {
    await this.#folders.tidy();
    const ended = new Set(await this.#endings.ids());
    for (const id of await this.#folders.ids()) if (ended.has(id)) await this.#folders.remove(id);
  }
}

/** What is left undone here is done at the next start. */
function ignoreUnwritable(error: unknown): void {
  if (!(error instanceof StoreUnwritable)) throw error;
}
