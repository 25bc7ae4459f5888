/*
 * A person decides about a guest that perished at its destination: it may have run there for a moment,
 * and its older copy stands still at the source. No controller decides that.
 */
import {
  ConfirmRequest,
  type Migration,
  Role,
  SourceServiceService,
  Verdict as WireVerdict,
} from "@ferry/contract";
import type { Agent } from "./agent.js";
import { BOUNDS } from "./bounds.js";
import { fromWireVerdict } from "./hear.js";
import type { Verdict } from "./outcome.js";
import type { Testimony } from "./resolve.js";

/** `take-back`: the copy at the source runs again. `give-up`: it is destroyed. */
export type PerishedChoice = "take-back" | "give-up";

/** The source that waits for the person. */
export interface PerishedGuest {
  readonly address: string;
  readonly migration: Migration;
  readonly destinationHost: string;
}

/** Undefined if no source says that it waits for a person. */
export function findPerished(testimonies: readonly Testimony[]): PerishedGuest | undefined {
  for (const { address, migration } of testimonies) {
    if (migration?.role !== Role.SOURCE || migration.settled) continue;
    if (migration.verdict !== WireVerdict.PERISHED) continue;
    const destinationHost = migration.peerAgentId.replace(/\/[a-z]+$/, "");
    return { address, migration, destinationHost };
  }
  return undefined;
}

/** Carries it out. Rejects with the agent's fault if that agent thinks better of it. */
export async function decidePerished(
  agent: Agent,
  { migration: { migrationId }, destinationHost }: PerishedGuest,
  { choice, reason }: { choice: PerishedChoice; reason: string },
): Promise<Verdict> {
  const { verdict } = await agent.unary(
    SourceServiceService.confirm,
    ConfirmRequest.fromPartial({
      migrationId,
      wait: { $case: "waitMs", value: BOUNDS.callMs },
      override: {
        fencedHost: destinationHost,
        reason,
        acceptPerished: true,
        giveUp: choice === "give-up",
      },
    }),
    { timeoutMs: BOUNDS.callMs * 2 },
  );
  return fromWireVerdict(verdict) ?? "pending";
}
