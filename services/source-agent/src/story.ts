/*
 * What people are told of one departure: log lines, metrics, spans. It decides nothing, and comes last: the
 * guest may stand still, so what a step tells is kept until there is time for it.
 */
import type { SourceHeard, SourcePhase } from "@ferry/protocol";
import type { Departure } from "./departure.js";

/** A step of the table. */
export interface Step {
  readonly from: SourcePhase;
  readonly to: SourcePhase;
  readonly heard: SourceHeard;
}

export class Story {
  #phaseSince = performance.now();
  /** What has happened and is still to be told. */
  readonly #untold: (() => void)[] = [];

  constructor(readonly departure: Departure) {}

  /** Another phase has begun. Its time is taken now, and told later. */
  add(step: Step): void {
    const { host, migrationId, failure } = this.departure;
    const { log, metrics } = host;
    const { from, to, heard } = step;
    const now = performance.now();
    const lastedMs = now - this.#phaseSince;
    const endedAtMs = Date.now();
    this.#phaseSince = now;
    const why = failure === undefined ? {} : { reason: failure.reason };
    this.#untold.push(() => {
      metrics.phaseDuration.observe({ role: "source", phase: from }, lastedMs / 1000);
      metrics.series.moved(migrationId, to);
      if (from !== "idle") this.#trace(step, lastedMs, endedAtMs);
      log.info({ ...this.#guest, role: "source", from, to, heard, ...why }, `${from} → ${to}`);
    });
  }

  /** Tells what has happened so far, in its order. */
  tell(): void {
    for (const tell of this.#untold.splice(0)) tell();
  }

  /** The table has no answer to what was heard. */
  refused(at: { phase: SourcePhase; heard: SourceHeard }): void {
    const { metrics, log } = this.departure.host;
    metrics.refused.inc({ role: "source", phase: at.phase, heard: at.heard });
    if (at.heard === "landed" && ["reclaimed", "performing", "kept"].includes(at.phase)) {
      metrics.conflicts.inc({ role: "source" });
      log.fatal(
        { ...this.#guest, phase: at.phase },
        "the destination says the guest landed there, and it runs here: only a wrong override can do that; a person must stop one of them",
      );
    }
  }

  /** The destination agent's word is awaited and does not come, or has come at last. */
  silence(silent: boolean): void {
    const { host, phase, isForgotten } = this.departure;
    const { log } = host;
    const about = { ...this.#guest, phase, peer: this.#peer };
    if (!silent) log.info(about, "the destination agent is not waited for any more");
    else if (isForgotten) {
      log.error(
        about,
        "the destination agent answers, and has lost what it knew of this migration: nobody can say what became of the guest there, and a person must decide",
      );
    } else if (phase !== "released") log.warn(about, "the destination agent says nothing");
    else {
      log.error(
        about,
        "the guest was given away and stands still here: only the destination agent can say what became of it, and it says nothing; it is dialled again for ever",
      );
    }
  }

  perished(): void {
    this.departure.host.log.fatal(
      { ...this.#guest, peer: this.#peer },
      "the guest may have run at the destination, and its QEMU there is dead: the old copy here stands still, and a person must decide",
    );
  }

  /** It has ended: the whole of it is counted, and its trace is complete. */
  over(endedAt: Date): void {
    const { host, trace, startedAt, phase, failure } = this.departure;
    const { metrics } = host;
    const departed = phase === "departed";
    const [startedAtMs, endedAtMs] = [startedAt.getTime(), endedAt.getTime()];
    trace.over({
      startedAtMs,
      endedAtMs,
      phase,
      failure: departed ? undefined : (failure?.description ?? "it did not move"),
    });
    const stayed = failure?.reason === "ABORTED" ? "cancelled" : "failed";
    metrics.migrations.inc({
      role: "source",
      outcome: departed ? "succeeded" : stayed,
      reason: departed ? "none" : (failure?.reason ?? "UNKNOWN"),
    });
    metrics.duration.observe((endedAtMs - startedAtMs) / 1000);
  }

  get #guest() {
    const { migrationId, guestId } = this.departure;
    return { migration_id: migrationId, guest_id: guestId };
  }

  get #peer(): string {
    return this.departure.record.destinationAgentId;
  }

  #trace({ from: phase, to: next, heard }: Step, lastedMs: number, endedAtMs: number): void {
    const { trace, stoppedAtUs, record } = this.departure;
    trace.phase({ phase, heard, next, startedAtMs: endedAtMs - lastedMs, endedAtMs });
    // Stopped for the switchover, and given back: where it lands, the destination tells.
    const back = next === "reclaimed" || (next === "kept" && phase === "cancelling");
    if (back && stoppedAtUs > 0 && !record.paused) {
      trace.blackout({ startedAtMs: stoppedAtUs / 1000, endedAtMs }, "source");
    }
  }
}
