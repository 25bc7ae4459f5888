/*
 * A person stands in for a host that is gone. What would happen is said first, and the person must
 * have said the one thing that no agent can know.
 */
import { createInterface } from "node:readline/promises";
import { type Agent, type OverridePlan, override, planOverride, resolve } from "@ferry/client";
import { at, Failure } from "./failure.js";
import type { Shell } from "./shell.js";

export interface FencedFlags {
  readonly fenced: string;
  readonly reason?: string;
  readonly acceptOlderMemory?: boolean;
  readonly neverLanded?: boolean;
  readonly giveUp?: boolean;
  readonly forgotten?: boolean;
  readonly yes?: boolean;
}

export async function standIn(
  migrationId: string,
  flags: FencedFlags,
  agents: readonly Agent[],
  shell: Shell,
): Promise<void> {
  const { fenced, reason = "", acceptOlderMemory = false, neverLanded = false } = flags;
  const { giveUp = false, forgotten = false } = flags;
  if (reason.trim() === "") {
    throw new Failure("--fenced needs --reason", "Say why the host is known to be gone.");
  }
  const { testimonies } = await resolve(migrationId, agents);
  const plan = planOverride(testimonies, fenced);
  const agent = agents.find(({ address }) => address === plan?.address);
  if (plan === undefined || agent === undefined) {
    throw new Failure(
      `no agent that answers waits for a word of ${fenced} about ${migrationId}`,
      "Without --fenced this command shows who knows what.",
    );
  }
  if (giveUp && plan.what === "land") {
    throw new Failure(
      `${plan.address} has not what ${fenced} would give up: it is the destination`,
      "Leave --give-up away to land what has arrived there, or let its tether go.",
    );
  }
  shell.note(told(plan, flags));
  checkStatement(plan, flags);
  if (!flags.yes && !(await agreed())) {
    throw new Failure("nothing was done", "Answer yes, or give --yes.");
  }
  await at(
    plan.address,
    override(agent, plan, {
      ...{ fencedHost: fenced, reason, acceptOlderMemory },
      ...{ neverLanded, giveUp, forgotten },
    }),
  );
}

function told(plan: OverridePlan, flags: FencedFlags): string {
  return `At ${plan.address}, ${deed(plan, flags)}
${risk(plan, flags)}`;
}

function deed({ what, migration }: OverridePlan, { fenced, giveUp }: FencedFlags): string {
  const { guestId, phase } = migration;
  if (what === "land") {
    return `the copy of ${guestId} that has arrived there (${phase}) wakes, although ${fenced} never released it.
If the guest ran on at ${fenced} after that copy was made, its memory is older than its disks.`;
  }
  if (giveUp) {
    return `the copy of ${guestId} that stands still there (${phase}) is destroyed: its memory is lost for good.
Its disks stay as they are, and it may be started afresh from them.`;
  }
  return `${guestId} runs again where it came from (${phase}), although ${fenced} never returned it.
If the guest ran at ${fenced}, an older copy of it wakes.`;
}

function risk({ migration: { guestId } }: OverridePlan, flags: FencedFlags): string {
  const { fenced, giveUp, forgotten } = flags;
  if (forgotten) return `If a QEMU of ${guestId} is left on ${fenced}, the guest may run twice.`;
  if (giveUp) return `If ${fenced} is not gone, the guest may run there: start it nowhere else.`;
  return `If ${fenced} is not gone, the guest may run twice.`;
}

function checkStatement({ what }: OverridePlan, flags: FencedFlags): void {
  if (what === "land" && !flags.acceptOlderMemory) {
    throw new Failure("nothing was done", "Say that you accept it: --accept-older-memory.");
  }
  if (what === "take-back" && !flags.neverLanded && !flags.giveUp) {
    throw new Failure(
      "nothing was done",
      "Say that you know that the guest never ran there: --never-landed. If it may have run there, --give-up has its old copy destroyed.",
    );
  }
}

/** The person at the terminal says yes. False if there is nobody. */
export async function agreed(): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await asking.question("Do it? Type yes: ")).trim() === "yes";
  } finally {
    asking.close();
  }
}
