/*
 * The guests that live on this host. The records under guests/ are the truth: the destination
 * agent puts landed guests there with one rename, so whoever asks for a guest that is not known
 * here makes us look again.
 */
import { type FSWatcher, watch } from "node:fs";
import { join } from "node:path";
import type { Config, Logger, Metrics } from "@ferry/agent-kit";
import { Changes, type GuestRecord, Turns, within } from "@ferry/agent-kit";
import { adoptQemu } from "@ferry/qemu";
import { Leases } from "./leases.js";
import { Resident } from "./resident.js";
import type { SourceStore } from "./store.js";

/** A new or found QEMU's monitor answers within this time, or its guest is told of without it. */
const MONITOR_MS = 15_000;
/** At an agent's start: one QEMU that does not answer must not keep all the others waiting. */
const START_MONITOR_MS = 500;
/** A guest that ended, and whose record the disk did not let go of, is tried again after this time. */
const REMOVE_AGAIN_MS = 500;

export interface ResidentsHost {
  readonly config: Config;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly store: SourceStore;
}

export class Residents {
  readonly changes = new Changes();
  /** Orders about one guest are taken one at a time. */
  readonly turns = new Turns();
  readonly leases = new Leases();
  readonly #guests = new Map<string, Resident>();
  #watcher: FSWatcher | undefined;
  readonly #starting = new Set<string>();
  /** A guest goes once: by the second time its name may be another one's. */
  readonly #hiding = new WeakMap<Resident, Promise<() => Promise<void>>>();
  readonly #adopting = new Map<string, Promise<Resident | undefined>>();

  constructor(readonly host: ResidentsHost) {}

  known(guestId: string): Resident | undefined {
    return this.#guests.get(guestId);
  }

  /** The guest, also if it has only just landed. */
  find(guestId: string): Promise<Resident | undefined> {
    return this.#find(guestId, MONITOR_MS);
  }

  async #find(guestId: string, patienceMs: number): Promise<Resident | undefined> {
    const known = this.#guests.get(guestId);
    if (known !== undefined) return known;
    if (this.#starting.has(guestId)) return undefined;
    const adopting = this.#adopting.get(guestId) ?? this.#adopt(guestId, patienceMs);
    this.#adopting.set(guestId, adopting);
    try {
      return await adopting;
    } finally {
      this.#adopting.delete(guestId);
    }
  }

  /** Runs a Start of that guest: until it was launched, a record without a QEMU is no guest that was lost. */
  async starting<Result>(guestId: string, start: () => Promise<Result>): Promise<Result> {
    this.#starting.add(guestId);
    try {
      return await start();
    } finally {
      this.#starting.delete(guestId);
    }
  }

  /** Guests that live here, those that are being started included. */
  get count(): number {
    return new Set([...this.#guests.keys(), ...this.#starting]).size;
  }

  /** After a restart: they are known when it returns, though not each one's monitor may be open. */
  async findAgain(guestIds: readonly string[]): Promise<void> {
    await Promise.all(guestIds.map((id) => this.#find(id, START_MONITOR_MS)));
  }

  /** Every guest of this host, by name. */
  async all(): Promise<Resident[]> {
    const ids = await this.host.store.guests.ids();
    await Promise.all(ids.map((id) => this.find(id)));
    return [...this.#guests.values()].sort((a, b) => (a.guestId < b.guestId ? -1 : 1));
  }

  /** Those known without looking at the disk. */
  list(): Resident[] {
    return [...this.#guests.values()];
  }

  add(resident: Resident): void {
    this.#guests.set(resident.guestId, resident);
    void this.#follow(resident);
    this.changes.bump();
  }

  /** Looks again when the disk hints that a guest landed. A hint only: whoever asks is answered anyway. */
  watchDisk(): void {
    const { config, log } = this.host;
    try {
      this.#watcher = watch(join(config.stateDir, "guests"), { persistent: false }, () => {
        void this.all().catch((error: unknown) => log.warn({ err: error }, "guests not looked at"));
      });
      this.#watcher.on("error", (error) => log.warn({ err: error }, "guests/ is not watched"));
    } catch (error) {
      log.warn({ err: error }, "guests/ is not watched: landed guests are noticed when asked for");
    }
  }

  /** This agent ends: its guests go on without being looked at. */
  close(): void {
    this.#watcher?.close();
    for (const resident of this.#guests.values()) resident.letGo();
    this.#guests.clear();
  }

  /** Its record goes, and everything it left behind. */
  async remove(resident: Resident): Promise<void> {
    const finish = await this.hide(resident);
    await finish();
  }

  /** The first half of `remove`: nobody sees it any more. Answers the second. May be repeated. */
  async hide(resident: Resident): Promise<() => Promise<void>> {
    const hiding = this.#hiding.get(resident) ?? this.#hide(resident);
    this.#hiding.set(resident, hiding);
    try {
      return await hiding;
    } catch (error) {
      this.#hiding.delete(resident); // the disk refused: a second try looks again
      throw error;
    }
  }

  async #hide(resident: Resident): Promise<() => Promise<void>> {
    // Before its record: an agent that dies in between finds a record, and goes on from there.
    await resident.clear();
    const finish = await this.host.store.guests.hide(resident.guestId);
    if (this.#guests.get(resident.guestId) === resident) this.#guests.delete(resident.guestId);
    resident.close();
    resident.changes.bump();
    this.changes.bump();
    return finish;
  }

  /** Finds a guest whose record is here: after a restart, or after it landed. It is only looked at. */
  async #adopt(guestId: string, patienceMs: number): Promise<Resident | undefined> {
    const { log, store } = this.host;
    const record = await store.guests.read(guestId);
    if (record === undefined) return undefined;
    const resident = await this.#resident(record);
    if (!resident.dead) {
      const opening = resident.open().catch((error: unknown) => resident.cannotReach(error));
      await within(patienceMs, opening);
    }
    this.add(resident);
    log.info({ guest_id: guestId, state: resident.qemuState, dead: resident.dead }, "guest found");
    return resident;
  }

  async #resident(record: GuestRecord): Promise<Resident> {
    const { processes, runDir } = record.guest;
    const { log } = this.host;
    if (processes === undefined) return new Resident(record, undefined, log);
    const found = await adoptQemu({ runDir, ...processes });
    if ("summary" in found) {
      const resident = new Resident(record, undefined, log);
      resident.death = found;
      return resident;
    }
    return new Resident(record, found, log);
  }

  async #follow(resident: Resident): Promise<void> {
    let seen = resident.changes.version;
    while (this.#guests.get(resident.guestId) === resident) {
      seen = await resident.changes.after(seen);
      await this.#bury(resident);
      this.changes.bump();
    }
  }

  /** A guest that powered itself off is gone; one that crashed stays listed as lost. */
  async #bury(resident: Resident): Promise<void> {
    const { death } = resident;
    if (death === undefined || resident.stopping || resident.migrationId !== "") return;
    if (death.exitCode !== 0) return;
    try {
      await this.remove(resident);
    } catch (error) {
      this.host.log.warn({ guest_id: resident.guestId, err: error }, "not removed yet");
      setTimeout(() => resident.changes.bump(), REMOVE_AGAIN_MS).unref();
    }
  }
}
