/*
 * A collection of folders, each with a record in it. A folder appears and goes away by one rename,
 * so nobody ever sees half of one.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Ahead } from "./ahead.js";
import type { Disk, OpenDirectory } from "./disk.js";
import { isErrno, StoreCorrupt, StoreExists, writing } from "./errors.js";
import { encode, type Format } from "./format.js";
import { type Durability, isUnfinished, readRecord, unfinished, writeRecord } from "./record.js";

/** What a name may be, so that it can be a path's last part. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const RECORD = "record.json";
/** Subfolder that holds the endings that were written beforehand. */
export const BEFOREHAND = "endings";

/** A record that was written before its time. */
interface Foreseen {
  readonly path: string;
  /** What it says, to be compared. */
  readonly text: string;
  readonly folder: OpenDirectory;
}

export interface FoldersOptions<Body> {
  readonly disk: Disk;
  /** Whose unfinished work it is: several agents may write in one collection. */
  readonly role: string;
  readonly path: string;
  readonly format: Format<Body>;
}

export class Folders<Body> {
  readonly path: string;
  readonly #disk: Disk;
  readonly #role: string;
  readonly #format: Format<Body>;
  /** Records written before their time. */
  readonly #foreseen = new Ahead<Foreseen>();
  /** Folders that are there although their making was refused: the disk did not let go of them. */
  readonly #refused = new Set<string>();

  constructor({ disk, role, path, format }: FoldersOptions<Body>) {
    this.path = path;
    this.#disk = disk;
    this.#role = role;
    this.#format = format;
  }

  folder(id: string): string {
    assert.match(id, NAME, "a name that is safe in a path");
    return join(this.path, id);
  }

  /** Every name there is. */
  async ids(): Promise<string[]> {
    return (await this.#disk.names(this.path)).filter((name) => NAME.test(name));
  }

  async exists(id: string): Promise<boolean> {
    return (await this.#disk.modified(this.folder(id))) !== undefined;
  }

  /** Undefined if there is no such folder. */
  async read(id: string): Promise<Body | undefined> {
    const path = join(this.folder(id), RECORD);
    const body = await readRecord(this.#disk, path, this.#format);
    if (body !== undefined || !(await this.exists(id))) return body;
    // Another agent may have put it there between those two looks, with its record in it.
    const now = await readRecord(this.#disk, path, this.#format);
    if (now === undefined && (await this.exists(id))) {
      throw new StoreCorrupt(this.folder(id), `it holds no ${RECORD}`); // none of ours is ever seen so
    }
    return now;
  }

  /** Makes a folder with its record, and with other files in its subfolder `endings`: all of it, or nothing. */
  async create(
    id: string,
    body: Body,
    endings: ReadonlyMap<string, Buffer> = new Map(),
  ): Promise<void> {
    await this.removeRefused();
    const to = this.folder(id);
    const from = join(this.path, unfinished(this.#role));
    const files = new Map([[join(from, RECORD), encode(this.#format, body)]]);
    for (const [name, bytes] of endings) files.set(join(from, BEFOREHAND, name), bytes);
    const directories = endings.size === 0 ? [from] : [from, join(from, BEFOREHAND)];
    await writing(to, async () => {
      try {
        for (const directory of directories) await this.#disk.makeDirectory(directory);
        await Promise.all([...files].map(([path, bytes]) => this.#disk.writeFile(path, bytes)));
        await Promise.all(directories.map((directory) => this.#disk.syncDirectory(directory)));
        await this.#move(from, to);
      } catch (error) {
        await this.#disk.remove(from).catch(() => {}); // tidied away at the next start
        throw error;
      }
    });
    try {
      await this.sync();
    } catch (error) {
      // Who is told "no" must not find it there later.
      await this.remove(id).catch(() => this.#refused.add(id));
      throw error;
    }
  }

  /** Removes what was refused, and could not be removed then. */
  async removeRefused(): Promise<void> {
    for (const id of this.#refused) {
      await this.remove(id);
      this.#refused.delete(id);
    }
  }

  /**
   * Writes a record that is likely to come, so that `update` with the very same one need only rename
   * it and sync: a quarter of the work, where a guest stands still meanwhile. Any other one is written
   * as ever.
   */
  async foresee(id: string, body: Body): Promise<void> {
    const written = this.#discard(this.#foreseen.look(id)).then(() => this.#writeBeside(id, body));
    await this.#foreseen.begin(id, written);
  }

  async update(id: string, body: Body, durability: Durability = "fsync"): Promise<void> {
    const path = join(this.folder(id), RECORD);
    const foreseen = await this.#foreseen.look(id);
    if (foreseen === undefined || foreseen.text !== JSON.stringify(body)) {
      await writeRecord(this.#disk, this.#role, { path, format: this.#format, body, durability });
      return;
    }
    void this.#foreseen.take(id); // whatever comes of it: a second try writes anew
    try {
      await writing(path, async () => {
        await this.#disk.rename(foreseen.path, path);
        if (durability === "fsync") await foreseen.folder.sync();
      });
    } finally {
      foreseen.folder.close().catch(() => {}); // nobody waits for that
    }
  }

  /** Moves a folder out of this collection, here or there at every instant. Durable when it returns. */
  async moveTo(id: string, other: Folders<unknown>, name: string): Promise<void> {
    const to = other.folder(name);
    await this.#forget(id);
    await writing(to, async () => {
      await this.#move(this.folder(id), to);
      await Promise.all([other, this].map(({ path }) => this.#disk.syncDirectory(path)));
    });
  }

  /** Makes durable which folders there are, and the record in each of them. */
  async settle(): Promise<void> {
    await this.sync();
    const folders = (await this.ids()).map((id) => this.folder(id));
    const syncing = folders.map((path) => writing(path, () => this.#disk.syncDirectory(path)));
    await Promise.all(syncing);
  }

  /** Makes durable which folders there are. */
  async sync(): Promise<void> {
    await writing(this.path, () => this.#disk.syncDirectory(this.path));
  }

  /** Removes a folder. It need not exist: a removal that could not be made durable is repeated so. */
  async remove(id: string): Promise<void> {
    const finish = await this.hide(id);
    await finish();
  }

  /**
   * The first half of `remove`: the folder is out of sight, which a power loss may undo. Answers the
   * second, for whoever need not wait for it; left undone, it is done at the next start.
   */
  async hide(id: string): Promise<() => Promise<void>> {
    const path = this.folder(id);
    await this.#forget(id);
    const gone = join(this.path, unfinished(this.#role));
    await writing(path, async () => {
      try {
        await this.#disk.rename(path, gone);
      } catch (error) {
        if (!isErrno(error, "ENOENT")) throw error;
      }
    });
    return () =>
      writing(path, async () => {
        await this.#disk.syncDirectory(this.path);
        await this.#disk.remove(gone);
      });
  }

  /** Removes what this role left unfinished when it died. */
  async tidy(): Promise<void> {
    const folders = (await this.ids()).map((id) => this.folder(id));
    const looked = [this.path, ...folders].map(async (directory) => {
      const names = (await this.#disk.names(directory)).filter((name) =>
        isUnfinished(name, this.#role),
      );
      return names.map((name) => join(directory, name));
    });
    for (const path of (await Promise.all(looked)).flat()) {
      await writing(path, () => this.#disk.remove(path));
    }
  }

  /** Whole and synced, under a name that is tidied away. */
  async #writeBeside(id: string, body: Body): Promise<Foreseen> {
    const path = join(this.folder(id), unfinished(this.#role));
    const [text, bytes] = [JSON.stringify(body), encode(this.#format, body)];
    const folder = await this.#disk.openDirectory(this.folder(id));
    await writing(path, async () => {
      try {
        await this.#disk.writeFile(path, bytes);
      } catch (error) {
        await folder.close();
        await this.#disk.remove(path).catch(() => {}); // tidied away at the next start
        throw error;
      }
    });
    return { path, text, folder };
  }

  /** A foreseen record that never came goes, so that no folder is seen with it elsewhere. */
  async #forget(id: string): Promise<void> {
    await this.#discard(this.#foreseen.take(id));
  }

  async #discard(written: Promise<Foreseen | undefined>): Promise<void> {
    const foreseen = await written;
    if (foreseen === undefined) return;
    await foreseen.folder.close();
    await this.#disk.remove(foreseen.path).catch(() => {});
  }

  async #move(from: string, to: string): Promise<void> {
    try {
      await this.#disk.rename(from, to);
    } catch (error) {
      if (!isErrno(error, "ENOTEMPTY", "EEXIST")) throw error;
      throw new StoreExists(to, "it is never overwritten");
    }
  }
}
