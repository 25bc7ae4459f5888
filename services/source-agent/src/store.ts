/*
 * What a source agent writes down: the guests that live here, and their departures. The host's
 * destination agent writes in the same state directory; what is shared between them is guests/,
 * where it puts the guests that landed.
 */
import { join } from "node:path";
import {
  type DepartureRecord,
  departureFormat,
  type EndingRecord,
  endingFormat,
  type GuestRecord,
  guestFormat,
} from "@ferry/agent-kit";
import type { SourcePhase } from "@ferry/protocol";
import {
  Endings,
  Folders,
  type Kept,
  Migrations,
  openStateDirectory,
  realDisk,
} from "@ferry/store";

const ROLE = "source";

/** The ways a departure can end. */
const PHASES: readonly SourcePhase[] = ["kept", "gone", "departed"];

/** The guests that live here. */
export interface Guests extends Pick<Folders<GuestRecord>, "ids" | "read" | "create" | "update"> {
  /** Removes its record, and not before `cleared` resolves. It need not exist. */
  remove(id: string, cleared?: Promise<void>): Promise<void>;
}

export interface SourceStore {
  readonly guests: Guests;
  readonly departures: Migrations<DepartureRecord, SourcePhase, EndingRecord>;
  readonly endings: Kept<EndingRecord>;
  /** The migration in which that guest is arriving here, if one is. */
  arrivalOf(guestId: string): Promise<string | undefined>;
  /** Lets another agent have the directory. */
  close(): void;
}

/** Takes the state directory, makes what is missing in it, and tidies away what a crash left. */
export async function openSourceStore(stateDir: string, disk = realDisk): Promise<SourceStore> {
  const lock = openStateDirectory(stateDir, ROLE);
  try {
    const folders = { disk, role: ROLE };
    const endingsHere = { disk, path: join(stateDir, "endings"), format: endingFormat };
    const guests = new Folders({ ...folders, path: join(stateDir, "guests"), format: guestFormat });
    const arrivals = new Folders({
      ...folders,
      path: join(stateDir, "arrivals"),
      format: guestFormat,
    });
    const endings = new Endings({ ...endingsHere, role: ROLE });
    const landings = new Endings({ ...endingsHere, role: "destination" });
    const departures = new Migrations({
      folders: new Folders({
        ...folders,
        path: join(stateDir, "departures"),
        format: departureFormat,
      }),
      endings,
      phases: PHASES,
    });
    await departures.settle();
    await guests.tidy();
    await endings.tidy();
    await departures.tidy();
    return {
      guests: {
        ids: () => guests.ids(),
        read: (id) => guests.read(id),
        create: (id, record) => guests.create(id, record),
        update: (id, record, durability) => guests.update(id, record, durability),
        remove: async (id, cleared) => {
          // How it arrived may still lie in its folder, and is to outlive it.
          await landings.rescue(guests, id, "landed");
          await landings.sync(); // the other agent may have taken it out, and died
          await cleared;
          await guests.remove(id);
        },
      },
      departures,
      endings: {
        list: () => endings.list(),
        annotate: (id, more) => endings.annotate(id, more),
        acknowledge: (id) => endings.acknowledge(id),
        sweep: (now) => departures.sweep(now),
      },
      arrivalOf: (guestId) => arrivalOf(arrivals, guestId),
      close: () => lock.release(),
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function arrivalOf(
  arrivals: Folders<GuestRecord>,
  guestId: string,
): Promise<string | undefined> {
  for (const id of await arrivals.ids()) {
    const record = await arrivals.read(id);
    if (record?.guest.spec.guestId === guestId) return id;
  }
  return undefined;
}
