/*
 * All the guests that are arriving at this host, and what became of those that did. A migration id
 * names one arrival for ever; a guest can arrive only once at a time.
 */
import { Changes, type EndingRecord, guestRunDirectory, Turns } from "@ferry/agent-kit";
import { verdictOf } from "@ferry/protocol";
import { removePskFile, removeRunDirectory } from "@ferry/qemu";
import type { Arrival, ArrivalView } from "./arrival.js";
import { readCause } from "./cause.js";
import { keyDirIn } from "./effects.js";
import type { Host } from "./host.js";
import { clearPerished } from "./perished.js";

/**
 * What is over is kept whole for this long, in milliseconds, so that whoever looks at it just now sees
 * its end; after that its ending alone is kept, which is all that a restarted agent knows of it either.
 */
const LINGER_MS = 10_000;

export class Arrivals {
  /** Bumped whenever any arrival changes. */
  readonly changes = new Changes();
  /** Accepting is done one at a time. */
  readonly turns = new Turns();
  readonly #live = new Map<string, Arrival>();
  /** Guests that admission looks at, by their migrations' ids. */
  readonly #reserved = new Map<string, string>();
  readonly #ended = new Map<string, ArrivalView>();
  readonly #tidying = new Set<Promise<void>>();
  /** Migrations that perished here and that a person has decided. */
  readonly #decided = new Set<string>();

  constructor(readonly host: Omit<Host, "settled">) {}

  /** Reads what ended before this agent started. */
  async load(): Promise<void> {
    for (const ending of await this.host.store.endings.list()) {
      const { migrationId, decided } = ending.body;
      this.#ended.set(migrationId, viewOfEnding(ending.body, ending.endedAt));
      if (decided !== true) continue;
      this.#decided.add(migrationId);
      void this.#clearPerished(migrationId); // the last agent may have died before it had
    }
    for (const { migrationId, guestId, endedAt } of this.perished()) {
      this.host.log.fatal(
        { migration_id: migrationId, guest_id: guestId, ended_at: endedAt },
        "the guest perished here, and a person has not decided yet",
      );
    }
  }

  /** Those whose guest may have run here, and does not any more: each waits for a person. */
  perished(): ArrivalView[] {
    return this.views().filter(
      ({ phase, migrationId }) => phase === "perished" && !this.#decided.has(migrationId),
    );
  }

  /** The source has ended a migration that perished here: a person has decided, and what is left goes. */
  async #decide(migrationId: string): Promise<void> {
    if (this.#decided.has(migrationId)) return;
    this.#decided.add(migrationId);
    try {
      await this.tidied(); // its ending is still being added to
      await this.host.store.endings.annotate(migrationId, { decided: true });
    } catch (error) {
      this.#decided.delete(migrationId); // said again
      throw error;
    }
    this.host.log.info(
      { migration_id: migrationId, guest_id: this.#ended.get(migrationId)?.guestId },
      "a person has decided about the guest that perished here: what is left of it is removed",
    );
    this.changes.bump();
    await this.#clearPerished(migrationId);
  }

  async #clearPerished(migrationId: string): Promise<void> {
    const runDir = guestRunDirectory(this.host.config.runDir, migrationId);
    const live = this.#live.get(migrationId);
    try {
      await clearPerished(runDir, live?.keeper);
      live?.qmp?.close();
      if (live !== undefined) this.#forgetLater(live);
    } catch (error) {
      this.host.log.warn({ migration_id: migrationId, err: error }, "what perished is still there");
    }
  }

  /** The arrival under way (or settled a moment ago), if there is one. */
  live(migrationId: string): Arrival | undefined {
    return this.#live.get(migrationId);
  }

  ended(migrationId: string): ArrivalView | undefined {
    return this.#ended.get(migrationId);
  }

  /** The arrival of a guest that is not settled yet. */
  ofGuest(guestId: string): Arrival | undefined {
    for (const arrival of this.#live.values()) {
      if (arrival.guestId === guestId && !arrival.settled) return arrival;
    }
    return undefined;
  }

  /** Ended migrations that are remembered. */
  get endedCount(): number {
    return this.#ended.size;
  }

  /** Arrivals that are not settled. */
  underWay(): Arrival[] {
    return [...this.#live.values()].filter((arrival) => !arrival.settled);
  }

  /** Everything known, newest first. */
  views(): ArrivalView[] {
    const views = new Map(this.#ended);
    for (const [id, arrival] of this.#live) views.set(id, arrival.view());
    return [...views.values()].sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime());
  }

  /** Somebody is being admitted under that id. */
  reserved(migrationId: string): boolean {
    return this.#reserved.has(migrationId);
  }

  /** The migration in which admission looks at that guest; undefined: none. */
  admitting(guestId: string): string | undefined {
    for (const [migrationId, guest] of this.#reserved) if (guest === guestId) return migrationId;
    return undefined;
  }

  /** Keeps others out while admission looks around; gives the place back when called. */
  reserve(migrationId: string, guestId: string): () => void {
    this.#reserved.set(migrationId, guestId);
    return () => this.#reserved.delete(migrationId);
  }

  add(arrival: Arrival): void {
    this.#live.set(arrival.migrationId, arrival);
    const found = arrival.phase === "empty" ? undefined : arrival.phase;
    this.host.metrics.series.begin(arrival, () => ({}), found);
    void this.#follow(arrival);
  }

  async #follow(arrival: Arrival): Promise<void> {
    let seen = -1;
    let phase: string | undefined;
    const { active } = this.host.metrics;
    for (;;) {
      seen = await arrival.changes.after(seen);
      if (phase !== undefined) active.dec({ role: "destination", phase });
      phase = arrival.phase;
      if (!arrival.settled) active.inc({ role: "destination", phase });
      this.changes.bump();
      if (arrival.settled) {
        this.host.metrics.series.end(arrival.migrationId);
        return;
      }
    }
  }

  /** Called once by an arrival that has its verdict, after the verdict is on disk. */
  settled(arrival: Arrival): void {
    this.#ended.set(arrival.migrationId, arrival.view());
    const tidying = this.#tidy(arrival).finally(() => this.#tidying.delete(tidying));
    this.#tidying.add(tidying);
  }

  /** Nothing of what has ended so far is left to be put away or written down. */
  async tidied(): Promise<void> {
    await Promise.all(this.#tidying);
  }

  async #tidy(arrival: Arrival): Promise<void> {
    const { store } = this.host;
    const { log } = arrival.host;
    try {
      arrival.giveBackPort();
      await arrival.tunnel?.stop();
      if (arrival.phase === "landed") {
        // The guest belongs to the source agent of this host now, which opens a monitor of its own.
        arrival.qmp?.close();
        arrival.keeper?.letGo();
        await removePskFile(keyDirIn(arrival.record.guest.runDir));
      }
      if (arrival.phase === "returned") {
        arrival.qmp?.close();
        await removeRunDirectory(arrival.record.guest.runDir);
      }
      await store.endings.annotate(arrival.migrationId, {
        ...(arrival.cause === undefined ? {} : { cause: arrival.cause }),
        ...(arrival.overridden === undefined ? {} : { overridden: arrival.overridden }),
        ...(arrival.reason === "" ? {} : { reason: arrival.reason }),
        ...(arrival.downtimeMs === undefined ? {} : { downtimeMs: arrival.downtimeMs }),
      });
    } catch (error) {
      log.warn({ migration_id: arrival.migrationId, err: error }, "not tidied away");
    }
    if (arrival.phase === "perished") return; // its QEMU may be there, and a person is to look at it
    this.#forgetLater(arrival);
  }

  #forgetLater({ migrationId }: Arrival): void {
    setTimeout(() => this.#live.delete(migrationId), LINGER_MS).unref();
  }

  /** This agent ends. */
  close(): void {
    for (const arrival of this.#live.values()) arrival.close();
  }

  /** Forgets what both sides know and is old enough. */
  async sweep(now = new Date()): Promise<void> {
    for (const migrationId of await this.host.store.endings.sweep(now)) {
      this.#ended.delete(migrationId);
      if (this.#live.get(migrationId)?.settled) this.#live.delete(migrationId);
    }
  }

  /** The source heard the verdict and wrote it down: after 7 days it may be forgotten. */
  async acknowledge(migrationId: string, arrival: string): Promise<void> {
    const view = this.#ended.get(migrationId);
    if (view === undefined || view.arrival !== arrival) return;
    if (view.phase === "perished") await this.#decide(migrationId);
    await this.host.store.endings.acknowledge(migrationId);
  }
}

function viewOfEnding(ending: EndingRecord, endedAt: Date): ArrivalView {
  return {
    migrationId: ending.migrationId,
    guestId: ending.guestId,
    arrival: ending.arrival,
    phase: ending.phase,
    verdict: verdictOf(ending.phase as Parameters<typeof verdictOf>[0]), // endings end in a phase of the table
    cause: readCause(ending.cause),
    reason: ending.reason ?? "",
    peerAgentId: ending.peerAgentId,
    transport: ending.transport,
    startedAt: new Date(ending.startedAt),
    endedAt,
    downtimeMs: ending.downtimeMs,
    tethered: false,
  };
}
