/*
 * What people are told of one arrival: log lines, metrics, spans, the audit log's word on a kill. It decides
 * nothing, and comes last: the guest may stand still, so what a step tells is kept until there is time for it.
 */
import type { DestinationHeard, DestinationPhase } from "@ferry/protocol";
import type { Arrival } from "./arrival.js";
import { type Cause, isCut } from "./cause.js";

/** A step of the table. */
export interface Step {
  readonly from: DestinationPhase;
  readonly to: DestinationPhase;
  readonly heard: DestinationHeard;
}

/** Endings that say all; of the others the cause does. */
const OUTCOMES: Partial<Record<DestinationPhase, string>> = {
  landed: "succeeded",
  perished: "perished",
};

export class Story {
  #phaseSince = performance.now();
  /** Steps that were taken and not told yet. */
  readonly #untold: (() => void)[] = [];

  constructor(readonly arrival: Arrival) {}

  /** A step was taken. Its time is taken now, and told later. */
  add(step: Step): void {
    const { host, migrationId, cause, reason } = this.arrival;
    const { log, metrics } = host;
    const { from, to } = step;
    const now = performance.now();
    const lastedMs = now - this.#phaseSince;
    const endedAtMs = Date.now();
    this.#phaseSince = now;
    const why = cause === undefined ? {} : { cause, reason };
    this.#untold.push(() => {
      metrics.phaseDuration.observe({ role: "destination", phase: from }, lastedMs / 1000);
      this.#trace(step, { startedAtMs: endedAtMs - lastedMs, endedAtMs });
      log.info({ ...this.#guest, role: "destination", ...step, ...why }, `${from} → ${to}`);
    });
    // At once: a series that is over takes no phase any more.
    if (from !== to) metrics.series.moved(migrationId, to);
  }

  /** Tells what has happened so far, in its order. */
  tell(): void {
    for (const tell of this.#untold.splice(0)) tell();
  }

  /** The source agent is expected to speak and does not, or is not waited for any more. */
  silence(silent: boolean): void {
    const { host, phase, record } = this.arrival;
    const about = { ...this.#guest, phase, peer: record.arrival.sourceAgentId };
    if (silent) host.log.warn(about, "the source agent says nothing");
    else host.log.info(about, "the source agent is not waited for any more");
  }

  perished(): void {
    const { host, cause } = this.arrival;
    host.log.fatal(
      { ...this.#guest, cause },
      "the guest may have run here and does not any more: a person must decide whether the old copy at the source may wake",
    );
  }

  /** It has ended: the whole of it is counted, and its trace is complete. */
  over(phase: DestinationPhase, endedAt: Date): void {
    const { host, trace, startedAt, cause, reason, downtimeMs } = this.arrival;
    const { metrics } = host;
    trace.over({
      startedAtMs: startedAt.getTime(),
      endedAtMs: endedAt.getTime(),
      phase,
      failure: phase === "landed" ? undefined : reason || `it ${phase}`,
    });
    const cut = phase === "returned" && isCut(cause) ? cause : undefined;
    if (cut !== undefined) this.#autokill(cut);
    const outcome = OUTCOMES[phase] ?? (cut === undefined ? "failed" : "tether_lost");
    metrics.migrations.inc({ role: "destination", outcome, reason: cause ?? "none" });
    if (downtimeMs !== undefined) metrics.downtime.observe({ mode: "precopy" }, downtimeMs / 1000);
  }

  get #guest() {
    const { migrationId, guestId } = this.arrival;
    return { migration_id: migrationId, guest_id: guestId };
  }

  #trace(
    { from, to, heard }: Step,
    stretch: { readonly startedAtMs: number; readonly endedAtMs: number },
  ): void {
    const { trace, stoppedAtUs, resumedAtUs } = this.arrival;
    if (from === "empty") return;
    trace.phase({ phase: from, heard, next: to, ...stretch });
    if (to !== "landed" || stoppedAtUs === undefined || resumedAtUs === undefined) return;
    const [startedAtMs, resumedAtMs] = [stoppedAtUs / 1000, resumedAtUs / 1000];
    // By two hosts' clocks, it may have resumed before it stopped.
    const endedAtMs = Math.max(startedAtMs, resumedAtMs);
    trace.blackout({ startedAtMs, endedAtMs }, "destination");
  }

  #autokill(cause: Cause): void {
    const { host, migrationId, guestId, reason, cutAt } = this.arrival;
    const { audit, log, metrics } = host;
    metrics.tetherLosses.inc({ cause });
    if (cutAt !== undefined) {
      metrics.tetherKillSeconds.observe({ cause }, (performance.now() - cutAt) / 1000);
    }
    audit
      .append({ what: "autokill", who: cause, migrationId, guestId, reason })
      .catch((error: unknown) => log.warn({ migration_id: migrationId, err: error }, "no audit"));
  }
}
