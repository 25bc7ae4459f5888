/*
 * A person decides about a guest that perished. What is lost either way, and which risk is taken, is
 * said first; that it is accepted must be said by the person.
 */
import {
  type Agent,
  decidePerished,
  findPerished,
  type PerishedChoice,
  type PerishedGuest,
  resolve,
} from "@ferry/client";
import { at, Failure } from "./failure.js";
import type { Shell } from "./shell.js";
import { agreed } from "./stand-in.js";

export interface DecisionFlags {
  readonly reason?: string;
  readonly acceptPerished?: boolean;
  readonly yes?: boolean;
}

export async function decideOver(
  migrationId: string,
  choice: PerishedChoice,
  { reason = "", acceptPerished, yes }: DecisionFlags,
  agents: readonly Agent[],
  shell: Shell,
): Promise<void> {
  if (reason.trim() === "") {
    throw new Failure(`--${choice} needs --reason`, "Say why, for the audit log.");
  }
  const { testimonies } = await resolve(migrationId, agents);
  const guest = findPerished(testimonies);
  const agent = agents.find(({ address }) => address === guest?.address);
  if (guest === undefined || agent === undefined) {
    throw new Failure(
      `no source that answers says that ${migrationId} perished and waits for a person`,
      "Without --take-back and --give-up this command shows who knows what.",
    );
  }
  shell.note(told(choice, guest));
  if (!acceptPerished) {
    throw new Failure("nothing was done", "Say that you accept it: --accept-perished.");
  }
  if (!yes && !(await agreed())) {
    throw new Failure("nothing was done", "Answer yes, or give --yes.");
  }
  await at(guest.address, decidePerished(agent, guest, { choice, reason }));
}

function told(choice: PerishedChoice, { address, migration, destinationHost }: PerishedGuest) {
  const { guestId } = migration;
  const does =
    choice === "take-back"
      ? `the copy of ${guestId} that stands still there runs again.
It may have run at ${destinationHost} for a moment before its QEMU died: that moment is lost, and if anything of it
reached a disk or the network, the memory that wakes is older than that.`
      : `the copy of ${guestId} that stands still there is destroyed: its memory is lost for good.
Its disks stay as they are, and it may be started afresh from them.`;
  return `At ${address}, ${does}
What is left of it at ${destinationHost} (a QEMU that stands still, its run directory) is removed once that host hears of it.`;
}
