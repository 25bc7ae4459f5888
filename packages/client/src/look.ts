/* The last looks at a migration that is over: for people, so an agent that does not answer changes nothing. */
import { GuestState } from "@ferry/contract";
import { getMigration } from "./guests.js";
import type { Outcome, Verdict } from "./outcome.js";
import type { WalkOptions } from "./walk.js";

type Looked = Pick<Outcome, "guestState" | "blackoutMs">;

export async function look(
  { from, to, guestId, migrationId, bounds }: WalkOptions,
  verdict: Verdict,
): Promise<Looked> {
  const limit = { timeoutMs: bounds.lookMs };
  const home = verdict === "landed" ? to : verdict === "returned" ? from : undefined;
  const [guest, migration] = await Promise.all([
    home?.guests.get(guestId, limit).catch(() => undefined),
    verdict === "landed"
      ? getMigration(to.destination, migrationId, limit).catch(() => undefined)
      : undefined,
  ]);
  const blackoutMs = migration?.downtime?.value;
  return {
    guestState: guest === undefined ? undefined : guestStateName(guest.state),
    blackoutMs: blackoutMs === undefined ? undefined : Number(blackoutMs),
  };
}

/** "running", "paused", …; a state newer than this library is its number. */
export function guestStateName(state: GuestState): string {
  return (GuestState[state] ?? `state_${state}`).toLowerCase();
}
