/* How a row ended: where the guest is, by what both hosts say, once neither has anything left to do. */

import { getMigration } from "@ferry/client";
import { type Guest, GuestState, type Migration } from "@ferry/contract";
import type { StageHost } from "./stage.js";

/** Where the guest is in the end. */
export type Ending =
  /** It runs where it was. */
  | "source"
  /** It runs where it was sent. */
  | "destination"
  /** It may have run over there and does not any more: the old copy stands still, and a person decides. */
  | "perished"
  /** Its host or its QEMU died under it before it was given away: it may be started afresh there. */
  | "lostAtSource"
  /** It landed, and its host or its QEMU died under it. */
  | "lostAtDestination";

export interface View {
  readonly here: Guest | undefined;
  readonly there: Guest | undefined;
  readonly departure: Migration | undefined;
  readonly arrival: Migration | undefined;
}

const CALL = { timeoutMs: 2_000 };

/** Undefined while an agent does not answer. */
export async function viewOf(
  from: StageHost,
  to: StageHost,
  guestId: string,
  migrationId: string,
): Promise<View | undefined> {
  const guestAt = async ({ client }: StageHost) =>
    (await client.guests.list(CALL)).find((guest) => guest.guestId === guestId);
  const migrationAt = (host: StageHost, role: "source" | "destination") =>
    getMigration(host.client[role], migrationId, CALL).catch((error: unknown) => {
      if (/MIGRATION_UNKNOWN|no migration/.test(String(error))) return undefined;
      throw error;
    });
  try {
    const [here, there, departure, arrival] = await Promise.all([
      guestAt(from),
      guestAt(to),
      migrationAt(from, "source"),
      migrationAt(to, "destination"),
    ]);
    return { here, there, departure, arrival };
  } catch {
    return undefined;
  }
}

/** Undefined while something may still happen. */
export function endingOf({ here, there, departure, arrival }: View): Ending | undefined {
  if (arrival !== undefined && !arrival.settled) return undefined;
  if (arrival?.phase === "perished") return departure?.settled === true ? undefined : "perished";
  if (departure !== undefined && !departure.settled) return undefined;
  if (there !== undefined) {
    if (here !== undefined) return undefined;
    if (there.state === GuestState.RUNNING) return "destination";
    return there.state === GuestState.LOST ? "lostAtDestination" : undefined;
  }
  if (here?.state === GuestState.RUNNING) return "source";
  return here === undefined || here.state === GuestState.LOST ? "lostAtSource" : undefined;
}

export function wordsOfView({ here, there, departure, arrival }: View): string {
  const guest = (at: Guest | undefined) => (at === undefined ? "none" : GuestState[at.state]);
  const side = (migration: Migration | undefined) => migration?.phase ?? "unknown";
  return `guest here ${guest(here)}, there ${guest(there)}; departure ${side(departure)}, arrival ${side(arrival)}`;
}
