/*
 * All the guests that are leaving this host, and what became of those that did. A guest leaves in
 * one migration at a time; what ended is kept until the peer knows and 7 days have passed.
 */
import { Changes, type EndingRecord, residenceOf, toWireVerdict } from "@ferry/agent-kit";
import { Verdict as WireVerdict } from "@ferry/contract";
import type { Verdict } from "@ferry/protocol";
import { Bandwidth } from "./bandwidth.js";
import type { Departure } from "./departure.js";
import { putBack } from "./effects.js";
import type { Host } from "./host.js";
import type { MeetCall } from "./meet-call.js";
import { type Overridden, remind } from "./reminder.js";
import type { Residents } from "./residents.js";

/** How long a source that kept its guest goes on saying `recalled` to a destination that does not answer. */
const RECALL_MS = 60_000;

/**
 * What is over is kept whole for this long, in milliseconds, so that whoever looks at it just now sees
 * its end; after that its ending alone is kept, which is all that a restarted agent knows of it either.
 */
const LINGER_MS = 10_000;

/** What is known of a departure, alive or from disk. */
export interface DepartureView {
  readonly migrationId: string;
  readonly guestId: string;
  readonly phase: string;
  readonly verdict: Verdict;
  readonly settled: boolean;
  readonly reason: string;
  readonly peerAgentId: string;
  readonly transport: EndingRecord["transport"];
  readonly startedAt: Date;
  readonly endedAt: Date | undefined;
  /** The QEMU that left; undefined where it was not written down. */
  readonly residence: string | undefined;
  /** A person gave the guest up: nothing of it is left here. */
  readonly givenUp: boolean;
}

export class Departures {
  /** Bumped whenever any departure changes. */
  readonly changes = new Changes();
  readonly bandwidth = new Bandwidth(this);
  readonly #live = new Map<string, Departure>();
  readonly #ended = new Map<string, DepartureView>();
  readonly #reminders: MeetCall[] = [];
  #closed = false;

  constructor(
    readonly host: Omit<Host, "settled" | "acknowledgement" | "joinBandwidth">,
    readonly residents: Residents,
  ) {}

  /** Reads what ended before this agent started. */
  async load(): Promise<void> {
    for (const { body, endedAt } of await this.host.store.endings.list()) {
      this.#ended.set(body.migrationId, viewOfEnding(body, endedAt));
      const { overridden, told, destinationAddress } = body;
      if (overridden === undefined || told || destinationAddress === undefined) continue;
      this.#remind({ ...body, destinationAddress });
    }
  }

  /** What departures of this registry need of their host. */
  hostOfDepartures(): Host {
    return {
      ...this.host,
      settled: (departure) => {
        this.#settle(departure).catch((error: unknown) =>
          departure.host.log.error(
            { migration_id: departure.migrationId, err: error },
            "not tidied",
          ),
        );
      },
      joinBandwidth: (departure) => this.bandwidth.join(departure),
      acknowledgement: (departure) =>
        departure.settled && departure.verdictHeard !== undefined
          ? toWireVerdict(departure.verdictHeard)
          : WireVerdict.UNSPECIFIED,
    };
  }

  live(migrationId: string): Departure | undefined {
    return this.#live.get(migrationId);
  }

  ended(migrationId: string): DepartureView | undefined {
    return this.#ended.get(migrationId);
  }

  /** The departure of a guest that is not settled yet. */
  ofGuest(guestId: string): Departure | undefined {
    for (const departure of this.#live.values()) {
      if (departure.guestId === guestId && !departure.settled) return departure;
    }
    return undefined;
  }

  /** A departure of that guest which has ended, and whose traces are still being removed. */
  endingOf(guestId: string): Departure | undefined {
    for (const departure of this.#live.values()) {
      if (departure.guestId === guestId && departure.settled && !departure.tidied) return departure;
    }
    return undefined;
  }

  /** Ended migrations that are remembered. */
  get endedCount(): number {
    return this.#ended.size;
  }

  /** Nothing of what has ended so far is left to be put away or written down. */
  get tidied(): boolean {
    return [...this.#live.values()].every(({ settled, tidied }) => !settled || tidied);
  }

  underWay(): Departure[] {
    return [...this.#live.values()].filter((departure) => !departure.settled);
  }

  /** Everything known, newest first. */
  views(): DepartureView[] {
    const views = new Map(this.#ended);
    for (const [id, departure] of this.#live) views.set(id, viewOf(departure));
    return [...views.values()].sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime());
  }

  add(departure: Departure): void {
    this.#live.set(departure.migrationId, departure);
    departure.resident.migrationId = departure.migrationId;
    const found = departure.phase === "idle" ? undefined : departure.phase;
    this.host.metrics.series.begin(departure, () => departure.facts(), found);
    void this.#follow(departure);
  }

  async #follow(departure: Departure): Promise<void> {
    const { active } = this.host.metrics;
    let seen = -1;
    let phase: string | undefined;
    let trouble = "";
    for (;;) {
      seen = await departure.changes.after(seen);
      if (phase !== departure.phase) {
        if (phase !== undefined) active.dec({ role: "source", phase });
        phase = departure.phase;
        if (!departure.settled) active.inc({ role: "source", phase });
        departure.resident.changes.bump();
      }
      const now = departure.settled ? "" : departure.trouble;
      if (trouble !== now) {
        trouble = now;
        departure.resident.trouble = now;
        departure.resident.changes.bump();
      }
      this.changes.bump();
      if (departure.settled) {
        await departure.measured; // its last numbers are to be seen for a while
        this.host.metrics.series.end(departure.migrationId);
        return;
      }
    }
  }

  async #settle(departure: Departure): Promise<void> {
    const { store } = this.host;
    const { resident } = departure;
    const { log } = departure.host;
    this.#ended.set(departure.migrationId, viewOf(departure));
    if (resident.migrationId === departure.migrationId) resident.migrationId = "";
    departure.tidied = departure.preset === undefined && !departure.found; // QEMU heard nothing of it
    try {
      if (!departure.tidied) {
        await putBack(departure).catch((error: unknown) =>
          log.warn({ migration_id: departure.migrationId, err: error }, "QEMU not put back"),
        );
      }
      // A caller waits for all of this, and none of it for the rest.
      const [finish, finishToo] = await Promise.all([
        departure.leavesNothing ? this.residents.hide(resident) : resident.look(),
        store.departures.hide(departure.migrationId),
        annotate(departure),
      ]);
      resident.changes.bump();
      // What nobody sees any more goes while nobody waits; a power loss brings back what the next start removes.
      Promise.all([finish?.(), finishToo()]).catch((error: unknown) =>
        log.warn({ migration_id: departure.migrationId, err: error }, "not tidied away"),
      );
    } catch (error) {
      log.warn({ migration_id: departure.migrationId, err: error }, "not tidied away");
    }
    departure.tidied = true;
    departure.tick();
    this.changes.bump();
    if (departure.overridden === undefined) await this.#sayGoodbye(departure);
    else {
      departure.meet?.close();
      const { arrival, destinationAddress, destinationAgentId } = departure.record;
      const { migrationId, guestId } = departure;
      const peerAgentId = destinationAgentId;
      this.#remind({ migrationId, guestId, arrival, destinationAddress, peerAgentId });
    }
    setTimeout(() => this.#live.delete(departure.migrationId), LINGER_MS).unref();
  }

  /** A destination that was overridden is told so until it answers, over every restart. */
  #remind(overridden: Overridden): void {
    if (this.#closed) return; // the next agent reads that nobody was told
    this.#reminders.push(
      remind(overridden, this.host, () =>
        this.host.store.endings.annotate(overridden.migrationId, { told: true }),
      ),
    );
  }

  /** Forgets what both sides know and is old enough. */
  async sweep(now = new Date()): Promise<void> {
    for (const migrationId of await this.host.store.endings.sweep(now)) {
      this.#ended.delete(migrationId);
      if (this.#live.get(migrationId)?.settled) this.#live.delete(migrationId);
    }
  }

  /** This agent ends: nobody is told anything more. */
  close(): void {
    this.#closed = true;
    for (const departure of this.#live.values()) departure.close();
    for (const reminder of this.#reminders) reminder.close();
  }

  /** A guest that was kept is recalled there, so that its arrival need not wait for its cut. */
  async #sayGoodbye(departure: Departure): Promise<void> {
    departure.meet?.tell();
    const bound = departure.record.arrival !== "0"; // before that nobody else knows of it
    const heard = () => departure.verdictHeard !== undefined;
    if (bound) await departure.changes.until(heard, { withinMs: RECALL_MS });
    try {
      if (!bound || heard()) await this.host.store.endings.acknowledge(departure.migrationId);
    } catch (error) {
      const { migrationId } = departure;
      // It is kept longer, and nobody is dialled because of it.
      departure.host.log.warn({ migration_id: migrationId, err: error }, "not marked as known");
    }
    departure.meet?.close();
  }
}

/** Adds to its ending what was not known when that was written. */
async function annotate(departure: Departure): Promise<void> {
  const { failure, foretold, host, migrationId, overridden, phase, record } = departure;
  const known = foretold && phase === "departed";
  if (known && overridden === undefined && failure === undefined) return;
  await host.store.endings.annotate(migrationId, {
    arrival: record.arrival,
    ...(overridden === undefined ? {} : { overridden }),
    ...(failure === undefined ? {} : { reason: failure.description }),
  });
}

export function viewOf(departure: Departure): DepartureView {
  return {
    migrationId: departure.migrationId,
    guestId: departure.guestId,
    phase: departure.phase,
    verdict: departure.verdict,
    settled: departure.settled,
    reason: departure.failure?.description ?? departure.trouble,
    peerAgentId: departure.record.destinationAgentId,
    transport: departure.record.transport,
    startedAt: departure.startedAt,
    endedAt: departure.endedAt,
    residence: residenceOf(departure.resident.record),
    givenUp: departure.givenUp,
  };
}

function viewOfEnding(ending: EndingRecord, endedAt: Date): DepartureView {
  return {
    migrationId: ending.migrationId,
    guestId: ending.guestId,
    phase: ending.phase,
    verdict: ending.phase === "departed" ? "landed" : "returned",
    settled: true,
    reason: ending.reason ?? "",
    peerAgentId: ending.peerAgentId,
    transport: ending.transport,
    startedAt: new Date(ending.startedAt),
    endedAt,
    residence: ending.residence,
    givenUp: ending.phase === "gone" && ending.givenUp === true,
  };
}
