/*
 * Who owns what on this host, as the records of both its agents say at this moment. Nothing is
 * remembered and nothing is written. A guest that lands moves from arrivals/ to guests/ and never
 * back, so arrivals are read first: one that moves meanwhile is seen in one of them at least.
 */
import { basename, join } from "node:path";
import {
  Endings,
  Folders,
  type Format,
  realDisk,
  StoreCorrupt,
  StoreNewerFormat,
} from "@ferry/store";
import { departureFormat, type EndingRecord, endingFormat, guestFormat } from "./records.js";
import { guestRunDirectory } from "./run-directory.js";

const ROLE = "orphans"; // nothing is ever written under it

/** A record that cannot be believed. It is left as it is, and may own anything. */
export interface Unreadable {
  readonly path: string;
  readonly why: string;
}

export interface Owners {
  /** Names of run directories that a guest or an arrival has. */
  readonly names: ReadonlySet<string>;
  readonly unreadable: readonly Unreadable[];
  /** The arrival that had a run directory of that name, if it ended and is remembered. */
  endingOf(name: string): Promise<EndingRecord | undefined>;
}

/** Reads the records of both agents. */
export async function readOwners(stateDir: string): Promise<Owners> {
  const unreadable: Unreadable[] = [];
  const endings = new Endings({
    disk: realDisk,
    role: "destination",
    path: join(stateDir, "endings"),
    format: endingFormat,
  });
  const read = async <Body>(name: string, format: Format<Body>, ended = new Set<string>()) => {
    const path = join(stateDir, name);
    const folders = new Folders({ disk: realDisk, role: ROLE, path, format });
    const ids = (await folders.ids()).filter((id) => !ended.has(id));
    const bodies = ids.map((id) =>
      believed(() => folders.read(id), folders.folder(id), unreadable),
    );
    return (await Promise.all(bodies)).filter((body) => body !== undefined);
  };

  const ended = await endings.ids();
  const arrivals = await read("arrivals", guestFormat, new Set(ended)); // a folder may outlive its ending
  const guests = await read("guests", guestFormat);
  await read("departures", departureFormat); // they own nothing that their guests do not
  const endedOf = new Map(ended.map((id) => [basename(guestRunDirectory("/", id)), id]));
  return {
    names: new Set([...arrivals, ...guests].map((record) => basename(record.guest.runDir))),
    unreadable,
    endingOf: async (name) => {
      const id = endedOf.get(name);
      if (id === undefined) return undefined;
      const path = join(stateDir, "endings", `${id}.destination.json`);
      return (await believed(() => endings.read(id), path, unreadable))?.body;
    },
  };
}

/** What a record says. Asked twice if it is hard to believe: it may have been replaced meanwhile. */
async function believed<Body>(
  read: () => Promise<Body | undefined>,
  path: string,
  unreadable: Unreadable[],
): Promise<Body | undefined> {
  try {
    return await read().catch(read);
  } catch (error) {
    const named = error instanceof StoreCorrupt || error instanceof StoreNewerFormat;
    unreadable.push({ path: named ? error.path : path, why: String((error as Error).message) });
    return undefined;
  }
}
