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
  readonly yes?: boolean;
}

export async function standIn(
  migrationId: string,
  flags: FencedFlags,
  agents: readonly Agent[],
  shell: Shell,
): Promise<void> {
  const { fenced, reason = "", acceptOlderMemory = false, neverLanded = false } = flags;
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
  shell.note(told(plan, fenced));
  checkStatement(plan, flags);
  if (!flags.yes && !(await agreed())) {
    throw new Failure("nothing was done", "Answer yes, or give --yes.");
  }
  await at(
    plan.address,
    override(agent, plan, { fencedHost: fenced, reason, acceptOlderMemory, neverLanded }),
  );
}

function told({ what, migration, address }: OverridePlan, fenced: string): string {
  const { guestId, phase } = migration;
  const does =
    what === "land"
      ? `the copy of ${guestId} that has arrived there (${phase}) wakes, although ${fenced} never released it.
If the guest ran on at ${fenced} after that copy was made, its memory is older than its disks.`
      : `${guestId} runs again where it came from (${phase}), although ${fenced} never returned it.
If the guest ran at ${fenced}, an older copy of it wakes.`;
  return `At ${address}, ${does}
If ${fenced} is not gone, the guest may run twice.`;
}

function checkStatement({ what }: OverridePlan, flags: FencedFlags): void {
  if (what === "land" && !flags.acceptOlderMemory) {
    throw new Failure("nothing was done", "Say that you accept it: --accept-older-memory.");
  }
  if (what === "take-back" && !flags.neverLanded) {
    throw new Failure(
      "nothing was done",
      "Say that you know that the guest never ran there: --never-landed.",
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
