/* What a fault is: something that breaks in a scene, and how it is mended. */
import type { Transport } from "@ferry/client";
import type { Child } from "./child.js";
import type { FromController, ToController } from "./controller-main.js";
import type { Role, Stage, StageHost } from "./stage.js";
import type { Witness } from "./witness.js";

/** One row under way. */
export interface Scene {
  readonly stage: Stage;
  readonly from: StageHost;
  readonly to: StageHost;
  readonly guestId: string;
  readonly migrationId: string;
  readonly controller: Child<ToController, FromController>;
  readonly witness: Witness;
}

export interface Fault {
  readonly words: string;
  /** It goes on until it is mended. Otherwise it is over at once, and only what died is started again. */
  readonly lasts: boolean;
  /** It ends the tether or the prepared guest itself, if not at once then when somebody notices. */
  readonly cuts: boolean;
  /** Its effect is that this host's disk refuses something. */
  readonly refuses?: Role;
  /** It needs memory to go that way. Otherwise rows send it directly, and chaos as it is drawn. */
  readonly transport?: Transport;
  /** Whatever takes time, done before the migration begins: some instants do not wait. */
  ready?(scene: Scene): void | Promise<void>;
  inject(scene: Scene): void | Promise<void>;
  mend(scene: Scene): void | Promise<void>;
}

/** What a fault aims at is not there at this instant. */
export class NothingThere extends Error {
  constructor(what: string) {
    super(`${what} does not run at this instant`);
  }
}

/** The host whose agent has that role in this migration. */
export const hostOf = (role: Role, { from, to }: Scene): StageHost =>
  role === "source" ? from : to;

/** Process id of the agent that has that role in this migration. Throws NothingThere. */
export function agentPid(role: Role, scene: Scene): number {
  const agent = hostOf(role, scene).agents[role];
  if (agent?.alive !== true) throw new NothingThere(`the ${role} agent`);
  return agent.pid;
}
