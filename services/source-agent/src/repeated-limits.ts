/*
 * A caller who lost an answer repeats what it said, or says only which migration it means: a limit that
 * is left unset is whatever was set. Another limit would be ignored, so it is refused.
 */
import type { DepartureRecord } from "@ferry/agent-kit";
import { Fault } from "@ferry/contract";

/** As Perform asks for them; 0: unset. */
interface Limits {
  readonly bandwidthBytesPerSecond: number;
  readonly downtimeLimitMs: number;
  readonly timeoutMs: number;
}

/** Throws unless those limits are the ones the migration was performed with. */
export function checkLimits(
  asked: Limits,
  record: Pick<
    DepartureRecord,
    "migrationId" | "bandwidthBytesPerSecond" | "downtimeLimitMs" | "timeoutMs" | "deadline"
  >,
): void {
  const timeoutMs = record.timeoutMs ?? (record.deadline === undefined ? 0 : asked.timeoutMs); // an older agent's
  const pairs = [
    ["bandwidth_bytes_per_second", asked.bandwidthBytesPerSecond, record.bandwidthBytesPerSecond],
    ["downtime_limit_ms", asked.downtimeLimitMs, record.downtimeLimitMs],
    ["timeout_ms", asked.timeoutMs, timeoutMs],
  ] as const;
  const others = pairs.filter(([, wish, set]) => wish !== 0 && wish !== set);
  if (others.length === 0) return;
  const words = others.map(([field, wish, set]) => `${field} is ${set}, not ${wish}`).join("; ");
  throw new Fault(
    "ID_CONFLICT",
    `migration ${record.migrationId} was performed with other limits: ${words}. Repeat Perform with what it was given first, or leave them unset; limits do not change under way`,
    { metadata: { fields: others.map(([field]) => field).join(",") } },
  );
}
