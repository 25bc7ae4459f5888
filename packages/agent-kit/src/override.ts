/*
 * A person stands in for a host that is gone: what both agents check, write down and tell of it. The
 * person's word is on disk before anything is done, and it is said there, too, if nothing was done.
 */
import { Fault } from "@ferry/contract";
import type { AuditLog } from "@ferry/store";
import type { AgentRole } from "./config.js";
import type { Answer } from "./driver.js";
import { type PeerIdentity, requireAsk } from "./identity.js";
import type { Logger } from "./logs.js";
import type { Metrics } from "./metrics.js";
import { invalid } from "./wire.js";

const REASON_CHARACTERS_MAX = 1024;
/** An agent that spoke within this time is not gone, in milliseconds. */
export const ANSWERS_WITHIN_MS = 5_000;

export interface OverrideAsked {
  readonly fencedHost: string;
  readonly reason: string;
}

/** The agent that the person stands in for. */
export interface Fenced {
  readonly role: AgentRole;
  readonly hostId: string;
  /** It spoke a moment ago. */
  readonly answers: boolean;
}

/** What the person must have understood, and has to say. */
export interface Statement {
  readonly field: string;
  readonly made: boolean;
  readonly because: string;
}

export interface OverrideOrder<Phase extends string> {
  readonly peer: PeerIdentity;
  readonly asked: OverrideAsked;
  readonly fenced: Fenced;
  readonly statement: Statement;
  /** What becomes of the guest, for the audit log, if a person had the choice. */
  readonly choice?: string;
  readonly migrationId: string;
  readonly guestId: string;
  /** This agent. */
  readonly host: {
    readonly audit: AuditLog;
    readonly log: Logger;
    readonly metrics: Pick<Metrics, "overrides">;
  };
  /** Why it cannot be done now; undefined if it can. Asked again once the person's word is written. */
  refusal(): string | undefined;
  /** Says it to the table. `who` is who ordered it, and why. */
  hear(who: string): Promise<Answer<Phase>>;
}

/** Rejects with a Fault, or with StoreUnwritable, if nothing was done. */
export async function override<Phase extends string>(order: OverrideOrder<Phase>): Promise<void> {
  const { peer, asked, fenced, statement, migrationId, guestId, host } = order;
  const who = requireAsk(peer, "override");
  check(asked, fenced, statement);
  const reason = order.choice === undefined ? asked.reason : `${order.choice}: ${asked.reason}`;
  if (fenced.answers) {
    refuse(
      `the ${fenced.role} agent on ${fenced.hostId} answers: it is not gone, and must be asked`,
    );
  }
  const refusal = order.refusal();
  if (refusal !== undefined) refuse(refusal);
  const role: AgentRole = fenced.role === "source" ? "destination" : "source";
  const entry = { who, migrationId, guestId };
  await host.audit.append({ ...entry, what: "override", reason });
  host.metrics.overrides.inc({ role });
  host.log.warn({ migration_id: migrationId, guest_id: guestId, who, reason }, "overridden");
  const undone = async (why: string) => {
    const line = { ...entry, what: "override_undone", reason: why } as const;
    await host.audit.append(line).catch(() => {}); // said in the answer, too
  };
  // The other agent may have come back while that was being written.
  const late = order.refusal();
  if (late !== undefined) {
    await undone(late);
    refuse(late);
  }
  const heard = await order.hear(`${who}: ${reason}`);
  if (heard.answer === "moved" || heard.answer === "repeat") return;
  await undone(heard.answer === "refuse" ? `it is ${heard.phase} by now` : String(heard.error));
  if (heard.answer === "unwritable") throw heard.error;
  refuse(`the migration is ${heard.phase} by now: nothing was done`);
}

function check(
  { fencedHost, reason }: OverrideAsked,
  { role, hostId }: Fenced,
  statement: Statement,
): void {
  if (fencedHost !== hostId) {
    throw invalid("override.fenced_host", `the guest's ${role} is on "${hostId}"`);
  }
  if (reason.trim() === "" || reason.length > REASON_CHARACTERS_MAX) {
    throw invalid("override.reason", `1 to ${REASON_CHARACTERS_MAX} characters, for the audit log`);
  }
  if (!statement.made) {
    throw invalid(`override.${statement.field}`, `must be true: ${statement.because}`);
  }
}

function refuse(why: string): never {
  throw new Fault("OVERRIDE_REFUSED", why);
}
