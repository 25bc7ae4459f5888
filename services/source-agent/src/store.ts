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
  Ahead,
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
  /** Removes its record, but not how it arrived, which may still lie in its folder. It need not exist. */
  remove(id: string): Promise<void>;
  /** The first half of `remove`: nobody sees it any more. Answers the second. */
  hide(id: string): Promise<() => Promise<void>>;
  /** Does what `hide` does before it hides, for whoever will be waited for then. */
  readyHide(id: string): Promise<void>;
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
    /** How a guest arrived outlives its folder. */
    const takeOut = async (id: string) => {
      await landings.rescue(guests, id, "landed");
      await landings.sync(); // the other agent may have taken it out, and died
    };
    const takenOut = new Ahead<boolean>();
    const hide = async (id: string) => {
      if (!(await takenOut.take(id))) await takeOut(id); // a second try looks again
      return guests.hide(id);
    };
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
        remove: async (id) => {
          const finish = await hide(id);
          await finish();
        },
        hide,
        readyHide: (id) =>
          takenOut.begin(
            id,
            takeOut(id).then(() => true),
          ),
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
