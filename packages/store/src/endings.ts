/*
 * What became of migrations. An ending is written when its migration is accepted, one file for each
 * way it may end; ending is then one rename, which a full disk cannot stop. It is kept until the
 * peer acknowledged it and 7 days have passed: whoever asks late gets the same answer.
 */
import { join } from "node:path";
import type { Disk } from "./disk.js";
import { isErrno, StoreCorrupt, StoreExists, StoreUnwritable, writing } from "./errors.js";
import { BEFOREHAND, type Folders } from "./folders.js";
import { encode, type Format } from "./format.js";
import { isUnfinished, readRecord, writeRecord } from "./record.js";

const DAY_MS = 24 * 60 * 60 * 1000;
/** An ending is kept at least this long. */
export const KEPT_MS = 7 * DAY_MS;

export interface Ending<Body> {
  readonly body: Body;
  readonly endedAt: Date;
}

export interface EndingsOptions<Body> {
  readonly disk: Disk;
  /** Both agents of a host may have an ending of the same migration: the role is in its name. */
  readonly role: string;
  readonly path: string;
  readonly format: Format<Body>;
}

export class Endings<Body extends { readonly phase: string }> {
  readonly #disk: Disk;
  readonly #role: string;
  readonly #path: string;
  readonly #format: Format<Body>;

  constructor({ disk, role, path, format }: EndingsOptions<Body>) {
    this.#disk = disk;
    this.#role = role;
    this.#path = path;
    this.#format = format;
  }

  /** The file of an ending that was written beforehand: its name in a folder, and its contents. */
  beforehand(id: string, phase: string, body: Body): [name: string, bytes: Buffer] {
    return [this.#beforehandName(id, phase), encode(this.#format, body)];
  }

  /** Says when it ended, shortly before it does. Nothing depends on it but how long it is kept. */
  async stamp(folder: string, id: string, phase: string): Promise<void> {
    const path = join(folder, BEFOREHAND, this.#beforehandName(id, phase));
    await this.#disk.touch(path, new Date()).catch(() => {});
  }

  /** Adds to an ending that was written beforehand: what is known before it ends need not be added later. */
  async foretell(folder: string, id: string, phase: string, more: Partial<Body>): Promise<void> {
    const path = join(folder, BEFOREHAND, this.#beforehandName(id, phase));
    const ending = await this.#read(path);
    if (ending === undefined) throw new StoreCorrupt(folder, `it holds no ending "${phase}"`);
    const body = { ...ending.body, ...more };
    await writeRecord(this.#disk, this.#role, {
      path,
      format: this.#format,
      body,
      durability: "fsync",
    });
  }

  /** Makes an ending that was written beforehand the ending. Durable when it returns. */
  async take(folder: string, id: string, phase: string): Promise<void> {
    const from = join(folder, BEFOREHAND, this.#beforehandName(id, phase));
    const to = this.#file(id);
    await writing(to, async () => {
      await this.#disk.rename(from, to);
      await this.#disk.syncDirectory(this.#path);
    });
  }

  /**
   * True if it has ended in that phase already, durably when this returns: a step that was taken may
   * be taken again. Throws if it ended in another one, since a verdict never changes.
   */
  async isEnded(id: string, phase: string): Promise<boolean> {
    const ending = await this.read(id);
    if (ending === undefined) return false;
    if (ending.body.phase !== phase) {
      throw new StoreExists(this.#file(id), `it ended as "${ending.body.phase}", not "${phase}"`);
    }
    await this.sync();
    return true;
  }

  /** Makes durable which endings there are. */
  async sync(): Promise<void> {
    await writing(this.#path, () => this.#disk.syncDirectory(this.#path));
  }

  /** Finds an ending that still lies in a folder where it was written beforehand. */
  async liesIn(folder: string, id: string, phase: string): Promise<boolean> {
    const path = join(folder, BEFOREHAND, this.#beforehandName(id, phase));
    return (await this.#disk.modified(path)) !== undefined;
  }

  /**
   * Takes out what a landed guest's folder still holds of its arrival. Either agent of the host may
   * do so, at the same time, and die at any point. Only files that carry the migration's id are
   * touched: by now another arrival of the same guest may have landed under that path.
   */
  async rescue(guests: Folders<unknown>, guestId: string, phase: string): Promise<void> {
    const beforehand = join(guests.folder(guestId), BEFOREHAND);
    const names = await this.#disk.names(beforehand);
    const [begin, end] = [`${phase}.`, `.${this.#role}.json`];
    const landed = names.filter((name) => name.startsWith(begin) && name.endsWith(end));
    if (landed.length === 0) return;
    await guests.sync(); // the ending must not outlive a power loss that the landing does not
    for (const name of landed) {
      const id = name.slice(begin.length, -end.length);
      try {
        await this.take(guests.folder(guestId), id, phase);
      } catch (error) {
        const taken = error instanceof StoreUnwritable && error.code === "ENOENT";
        if (!taken) throw error; // by the other agent, between our look and our rename
      }
      const others = names.filter((other) => other !== name && other.endsWith(`.${id}${end}`));
      for (const other of others) {
        const path = join(beforehand, other);
        await writing(path, () => this.#disk.remove(path));
      }
    }
  }

  async exists(id: string): Promise<boolean> {
    return (await this.#disk.modified(this.#file(id))) !== undefined;
  }

  async read(id: string): Promise<Ending<Body> | undefined> {
    return this.#read(this.#file(id));
  }

  /** Every ending of this role. */
  async list(): Promise<Ending<Body>[]> {
    const endings = await Promise.all((await this.ids()).map((id) => this.read(id)));
    return endings.filter((ending) => ending !== undefined);
  }

  /** The migrations that have ended. */
  async ids(): Promise<string[]> {
    return this.#ids(".json");
  }

  /** Adds what became known later. The verdict itself was written beforehand and is not touched. */
  async annotate(id: string, more: Partial<Body>): Promise<void> {
    const path = this.#file(id);
    const ending = await this.#read(path);
    if (ending === undefined) return; // it ended before it was accepted: there is nothing to keep
    await writeRecord(this.#disk, this.#role, {
      path,
      format: this.#format,
      body: { ...ending.body, ...more },
      durability: "write",
      modified: ending.endedAt,
    });
  }

  /**
   * The peer knows how it ended. False if that could not be written, or there is no such ending: it
   * is kept longer then, which harms nobody.
   */
  async acknowledge(id: string): Promise<boolean> {
    if (!(await this.exists(id))) return false;
    const mark = this.#mark(id);
    if ((await this.#disk.modified(mark)) !== undefined) return true; // said again at every beat
    try {
      await writing(mark, () => this.#disk.writeFile(mark, Buffer.alloc(0)));
    } catch (error) {
      if (!(error instanceof StoreUnwritable)) throw error;
      return isErrno(error.cause, "EEXIST");
    }
    return true;
  }

  /**
   * Forgets what was acknowledged and is old enough, each after `before`. Returns the ids it forgot.
   */
  async sweep(now: Date, before: (id: string) => Promise<void>): Promise<string[]> {
    const forgotten: string[] = [];
    for (const id of await this.#ids(".acknowledged")) {
      const endedAt = await this.#disk.modified(this.#file(id));
      if (endedAt !== undefined && now.getTime() - endedAt.getTime() < KEPT_MS) continue;
      await before(id);
      await writing(this.#file(id), async () => {
        await this.#disk.remove(this.#file(id));
        await this.#disk.remove(this.#mark(id)); // last: an ending without its mark is kept for ever
      });
      if (endedAt !== undefined) forgotten.push(id);
    }
    return forgotten;
  }

  /** Removes what this role left unfinished when it died. */
  async tidy(): Promise<void> {
    for (const name of await this.#disk.names(this.#path)) {
      const path = join(this.#path, name);
      if (isUnfinished(name, this.#role)) await writing(path, () => this.#disk.remove(path));
    }
  }

  async #read(path: string): Promise<Ending<Body> | undefined> {
    const endedAt = await this.#disk.modified(path);
    const body = await readRecord(this.#disk, path, this.#format);
    return endedAt === undefined || body === undefined ? undefined : { body, endedAt };
  }

  async #ids(suffix: ".json" | ".acknowledged"): Promise<string[]> {
    const end = `.${this.#role}${suffix}`;
    const names = await this.#disk.names(this.#path);
    return names
      .filter((name) => name.endsWith(end) && !name.startsWith("."))
      .map((name) => name.slice(0, -end.length));
  }

  #file(id: string): string {
    return join(this.#path, `${id}.${this.#role}.json`);
  }

  #mark(id: string): string {
    return join(this.#path, `${id}.${this.#role}.acknowledged`);
  }

  #beforehandName(id: string, phase: string): string {
    return `${phase}.${id}.${this.#role}.json`;
  }
}
