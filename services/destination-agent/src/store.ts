/*
 * What a destination agent writes down: the guests that are arriving here. One that lands moves,
 * record and all, to guests/, where the host's source agent finds it; so arrivals and guests are
 * written in one format.
 */
import { join } from "node:path";
import {
  type ArrivalRecord,
  arrivalFormat,
  type EndingRecord,
  endingFormat,
  guestFormat,
} from "@ferry/agent-kit";
import type { DestinationPhase } from "@ferry/protocol";
import {
  type Durability,
  Endings,
  Folders,
  type Kept,
  Migrations,
  openStateDirectory,
  realDisk,
} from "@ferry/store";

const ROLE = "destination";

/** The ways an arrival can end. */
const PHASES = ["returned", "perished", "landed"] as const satisfies readonly DestinationPhase[];
type EndPhase = (typeof PHASES)[number];

export interface Arrivals {
  /** Accepts an arrival: from now on no full disk can keep its verdict from being written. */
  create(
    migrationId: string,
    record: ArrivalRecord,
    endingOf: (phase: EndPhase) => EndingRecord,
  ): Promise<void>;
  /** Writes a record that is likely to come: `update` with the very same one is quick then. */
  foresee(migrationId: string, record: ArrivalRecord): Promise<void>;
  update(migrationId: string, record: ArrivalRecord, durability?: Durability): Promise<void>;
  /** Adds to endings that were written beforehand. */
  foretell(
    migrationId: string,
    phases: readonly EndPhase[],
    more: Partial<EndingRecord>,
  ): Promise<void>;
  /** Writes `landed`: the arrival becomes a guest of this host, by one rename. May be repeated. */
  land(migrationId: string, guestId: string): Promise<void>;
  /** Writes the verdict and forgets the arrival. May be repeated. */
  end(migrationId: string, phase: Exclude<EndPhase, "landed">): Promise<void>;
  /** Those that have no verdict. */
  list(): Promise<ArrivalRecord[]>;
  /** The disk can be written again: removes what was refused meanwhile and is there all the same. */
  removeRefused(): Promise<void>;
}

export interface DestinationStore {
  readonly arrivals: Arrivals;
  readonly endings: Kept<EndingRecord>;
  /** A guest of that name lives here. */
  guestExists(guestId: string): Promise<boolean>;
  /** How many guests live here. */
  guestCount(): Promise<number>;
  /** Lets another agent have the directory. */
  close(): void;
}

/** Takes the state directory, makes what is missing in it, and tidies away what a crash left. */
export async function openDestinationStore(
  stateDir: string,
  disk = realDisk,
): Promise<DestinationStore> {
  const lock = openStateDirectory(stateDir, ROLE);
  try {
    const shared = { disk, role: ROLE };
    const guests = new Folders({ ...shared, path: join(stateDir, "guests"), format: guestFormat });
    const endings = new Endings({
      ...shared,
      path: join(stateDir, "endings"),
      format: endingFormat,
    });
    const arrivals = new Migrations({
      folders: new Folders({ ...shared, path: join(stateDir, "arrivals"), format: arrivalFormat }),
      endings,
      phases: PHASES,
    });
    /** The ending of a landing lies in its guest's folder until somebody takes it out. */
    const rescue = async () => {
      for (const id of await guests.ids()) await endings.rescue(guests, id, "landed");
    };
    /** Guests that landed, by migration, whose folders were not looked into since. */
    const landedIn = new Map<string, string>();
    const takeOut = async (id: string) => {
      const guestId = landedIn.get(id);
      if (guestId === undefined) return;
      await endings.rescue(guests, guestId, "landed");
      landedIn.delete(id);
    };
    await guests.sync();
    await arrivals.settle();
    await guests.tidy();
    await endings.tidy();
    await arrivals.tidy();
    await rescue();
    return {
      arrivals: {
        create: (id, record, endingOf) => arrivals.create(id, record, endingOf),
        foresee: (id, record) => arrivals.foresee(id, record),
        update: (id, record, durability) => arrivals.update(id, record, durability),
        foretell: (id, phases, more) => arrivals.foretell(id, phases, more),
        land: async (id, guestId) => {
          landedIn.set(id, guestId); // whatever comes of it: a rename that fails may have been done
          await arrivals.handOver(id, "landed", guests, guestId);
        },
        end: async (id, phase) => {
          await arrivals.end(id, phase);
          await arrivals.clear(id); // or the source agent would take the guest for one that arrives
        },
        list: () => arrivals.list(),
        removeRefused: () => arrivals.removeRefused(),
      },
      endings: {
        list: async () => {
          await rescue();
          return endings.list();
        },
        annotate: async (id, more) => {
          await takeOut(id);
          await endings.annotate(id, more);
        },
        acknowledge: async (id) => {
          await takeOut(id);
          return endings.acknowledge(id);
        },
        sweep: (now) => arrivals.sweep(now),
      },
      guestExists: (guestId) => guests.exists(guestId),
      guestCount: async () => (await guests.ids()).length,
      close: () => lock.release(),
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}
