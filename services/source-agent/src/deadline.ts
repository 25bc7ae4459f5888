/*
 * A migration's own deadline, where its caller set one: a copy that has not come to its end by then is
 * given up by the book, as an Abort would, and the guest runs on here. Once custody was given away it is
 * too late for that, and the two agents settle as always. It stands in the record, so a restarted
 * agent keeps it too.
 */
import { TIMEOUT_MAX_MS } from "@ferry/contract";
import type { Departure } from "./departure.js";

/** Phases in which the guest is still ours to keep. */
const KEEPABLE: ReadonlySet<string> = new Set(["begun", "meeting", "performing"]);

/** From now on the departure's deadline is watched, if it has one. */
export function keepDeadline(departure: Departure): void {
  const { deadline, startedAt, timeoutMs } = departure.record;
  if (deadline === undefined || departure.settled) return;
  const leftMs = timeLeft({ deadline, timeoutMs }, Date.now());
  const timer = setTimeout(() => void departure.hear("abort", expired), leftMs);
  timer.unref();
  void departure.over.then(() => clearTimeout(timer));

  /** Asked when its turn has come: custody may have been given away meanwhile. */
  function expired(): boolean {
    if (!KEEPABLE.has(departure.phase)) return false;
    departure.fail(
      "MIGRATION_TIMEOUT",
      `the migration, begun at ${startedAt}, was to be over by ${deadline}, and was not: it was ended, and the guest stays here`,
    );
    return true;
  }
}

/**
 * How long a migration has yet, in milliseconds. A clock that was set back since would say more than was ever
 * given, and may say more than a timer takes: Node's fires at once then.
 */
export function timeLeft(
  given: { readonly deadline: string; readonly timeoutMs?: number | undefined },
  nowMs: number,
): number {
  const { deadline, timeoutMs = TIMEOUT_MAX_MS } = given; // an older agent wrote the deadline alone
  return Math.min(timeoutMs, Math.max(0, Date.parse(deadline) - nowMs));
}
