/*
 * Asks both ends what became of a migration, and orders nothing. The destination's verdict counts;
 * the source's is the destination's, as it heard it, or a person's after `perished`. Silence and "unknown" prove nothing.
 */
import { type Migration, Role } from "@ferry/contract";
import type { Agent } from "./agent.js";
import { BOUNDS } from "./bounds.js";
import type { FinalVerdict } from "./decide.js";
import { getMigration } from "./guests.js";
import { fromWireCause, fromWireVerdict, troubleOf } from "./hear.js";
import type { Verdict } from "./outcome.js";

/** What one agent said. */
export interface Testimony {
  readonly address: string;
  readonly migration: Migration | undefined;
  /** Why there is none, in words. */
  readonly trouble: string | undefined;
  /** The same as the agent's fault has it, e.g. "MIGRATION_UNKNOWN"; undefined if the agent said nothing. */
  readonly reason?: string | undefined;
}

export interface Resolution {
  readonly migrationId: string;
  readonly guestId: string | undefined;
  readonly verdict: Verdict;
  /** Every agent that knows the migration says that nothing more will happen at its end. */
  readonly settled: boolean;
  readonly cause: string | undefined;
  readonly reason: string;
  readonly blackoutMs: number | undefined;
  readonly testimonies: readonly Testimony[];
}

/** Any agents may be asked; those of the two hosts know. */
export async function resolve(
  migrationId: string,
  agents: readonly Agent[],
  { timeoutMs = BOUNDS.callMs }: { timeoutMs?: number } = {},
): Promise<Resolution> {
  const testimonies = await Promise.all(
    agents.map((agent) => testimonyOf(agent, migrationId, timeoutMs)),
  );
  const known = testimonies.flatMap(({ migration }) => migration ?? []);
  const there = known.find(({ role }) => role === Role.DESTINATION);
  const here = known.find(({ role }) => role === Role.SOURCE);
  // What perished stays so; what counts once a person has decided is what the source made of it.
  const decided = verdictIn(there) === "perished" && here?.settled === true;
  const verdict = (decided ? undefined : verdictIn(there)) ?? verdictIn(here) ?? "pending";
  return {
    migrationId,
    guestId: known[0]?.guestId,
    verdict,
    settled: known.length > 0 && known.every(({ settled }) => settled),
    cause: there === undefined ? undefined : fromWireCause(there.cause),
    reason: there?.reason || here?.reason || "",
    blackoutMs: there?.downtime === undefined ? undefined : Number(there.downtime.value),
    testimonies,
  };
}

function verdictIn(migration: Migration | undefined): FinalVerdict | undefined {
  return migration === undefined ? undefined : fromWireVerdict(migration.verdict);
}

async function testimonyOf(
  agent: Agent,
  migrationId: string,
  timeoutMs: number,
): Promise<Testimony> {
  const { address } = agent;
  try {
    const migration = await getMigration(agent, migrationId, { timeoutMs });
    return { address, migration, trouble: undefined };
  } catch (error) {
    const { message, fault } = troubleOf(error);
    return { address, migration: undefined, trouble: message, reason: fault?.reason };
  }
}
