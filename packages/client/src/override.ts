/*
 * Stands in for a host that is gone: asks the agent that is left to settle a migration without it.
 * Which agent that is, and so what happens to the guest, is read off what the agents say.
 */
import {
  ConfirmRequest,
  DestinationServiceService,
  FinishOrder,
  FinishRequest,
  type Migration,
  Role,
  SourceServiceService,
  Verdict as WireVerdict,
} from "@ferry/contract";
import type { Agent } from "./agent.js";
import { BOUNDS } from "./bounds.js";
import type { Testimony } from "./resolve.js";

/** What a person must say aloud, beside the host and a reason. */
export interface OverrideStatement {
  readonly fencedHost: string;
  /** For the audit log. */
  readonly reason: string;
  /** For a source that is gone: the guest may wake with memory older than its disks. */
  readonly acceptOlderMemory: boolean;
  /** For a destination that is gone: it is known that the guest never ran there. */
  readonly neverLanded: boolean;
  /** For a destination that is gone: the copy at the source is destroyed, not taken back. */
  readonly giveUp: boolean;
  /**
   * For a destination whose agent answers and has lost what it knew: it was made sure that no QEMU of the
   * guest is on that host.
   */
  readonly forgotten: boolean;
}

/** What an override would do, and at which agent. */
export interface OverridePlan {
  readonly address: string;
  readonly migration: Migration;
  /** `land`: the guest wakes where it has arrived. `take-back`: it runs again where it came from. */
  readonly what: "land" | "take-back";
}

/** Finds the agent that waits for a word of the host that is gone; undefined if none does. */
export function planOverride(
  testimonies: readonly Testimony[],
  fencedHost: string,
): OverridePlan | undefined {
  for (const { address, migration } of testimonies) {
    if (migration === undefined || migration.settled) continue;
    if (migration.peerAgentId.replace(/\/[a-z]+$/, "") !== fencedHost) continue;
    const what = migration.role === Role.DESTINATION ? "land" : "take-back";
    return { address, migration, what };
  }
  return undefined;
}

/** Carries it out. Rejects with the agent's fault if that agent thinks better of it. */
export async function override(
  agent: Agent,
  { migration: { migrationId }, what }: OverridePlan,
  { fencedHost, reason, acceptOlderMemory, ...ofSource }: OverrideStatement,
): Promise<"landed" | "returned" | "perished" | "pending"> {
  const limits = { timeoutMs: BOUNDS.callMs * 2 };
  const wait = { $case: "waitMs", value: BOUNDS.callMs } as const;
  if (what === "land") {
    const { verdict } = await agent.unary(
      DestinationServiceService.finish,
      FinishRequest.fromPartial({
        migrationId,
        order: FinishOrder.OVERRIDE,
        wait,
        override: { fencedHost, reason, acceptOlderMemory },
      }),
      limits,
    );
    return VERDICTS[verdict] ?? "pending";
  }
  const { verdict } = await agent.unary(
    SourceServiceService.confirm,
    ConfirmRequest.fromPartial({
      migrationId,
      wait,
      override: { fencedHost, reason, ...ofSource },
    }),
    limits,
  );
  return VERDICTS[verdict] ?? "pending";
}

const VERDICTS: Partial<Record<WireVerdict, "landed" | "returned" | "perished">> = {
  [WireVerdict.LANDED]: "landed",
  [WireVerdict.RETURNED]: "returned",
  [WireVerdict.PERISHED]: "perished",
};
