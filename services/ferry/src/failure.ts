/*
 * Errors, told to people: what happened and what to do next. What an agent refused carries its own
 * advice; for the rest it is given here. No stack is shown unless FERRY_DEBUG asks for it.
 */
import { codeOf, MigrationRefused, requestIdOf, wordsOf } from "@ferry/client";
import { BLOCKERS, type Blocker, type FaultRead, readFault } from "@ferry/contract";
import { status } from "@grpc/grpc-js";

/** A failure of the command's own, with what to do about it. */
export class Failure extends Error {
  override readonly name = "Failure";

  constructor(
    message: string,
    readonly next: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Adds where it happened to whatever a call threw. */
export async function at<T>(where: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw new Failure(`${where}: ${told(error)}`, adviceOn(error), { cause: error });
  }
}

/** Why an agent told nothing: it refused, or it was not reached. */
export function silenceOf(error: unknown): string {
  return `${readFault(error) === undefined ? "did not answer" : "refused"}: ${wordsOf(error)}`;
}

/** Lines for people. */
export function explain(error: unknown): string[] {
  const fault = faultIn(error);
  const lines = [`error: ${told(error)}`];
  for (const { field, description } of fault?.fieldViolations ?? []) {
    lines.push(`  ${field}: ${description}`);
  }
  lines.push(...(fault?.blockers ?? []).map(blockerLine));
  const advice = adviceOn(error);
  if (advice !== "") lines.push(`next: ${advice}`);
  if (fault?.requestId !== undefined)
    lines.push(`request id in the agent's log: ${fault.requestId}`);
  else if (requestIdIn(error) !== undefined)
    lines.push(`request id in the agent's log, if it heard the call: ${requestIdIn(error)}`);
  return lines;
}

/** One blocker with its evidence and its remedy. */
export function blockerLine({ reason, subject, description }: Blocker): string {
  const known: Readonly<Record<string, { readonly next: string }>> = BLOCKERS;
  const next = known[reason]?.next;
  return `  ${reason} (${subject}): ${description}${next === undefined ? "" : ` → ${next}`}`;
}

function told(error: unknown): string {
  if (error instanceof Failure) return error.message;
  const fault = faultIn(error);
  if (fault !== undefined) return `${fault.reason}: ${fault.message}`;
  const code = codeOf(error);
  return code === undefined ? wordsOf(error) : `${status[code] ?? code}: ${wordsOf(error)}`;
}

function adviceOn(error: unknown): string {
  if (error instanceof Failure) return error.next;
  if (error instanceof MigrationRefused) return error.next;
  const fault = faultIn(error);
  if (fault !== undefined) return fault.next ?? "";
  return ADVICE[codeOf(error) ?? -1] ?? "";
}

const ADVICE: Readonly<Record<number, string>> = {
  [status.UNAVAILABLE]:
    "Check that the agent runs, its address in the hosts file, and that both sides agree on TLS and its CA.",
  [status.DEADLINE_EXCEEDED]:
    "The agent may have heard all the same: look, then repeat the command.",
  [status.UNIMPLEMENTED]: "Check the address: whatever answers there is no agent of this role.",
};

/** Nobody answered, or no agent: it may have been heard all the same. */
function requestIdIn(error: unknown): string | undefined {
  return requestIdOf(error instanceof Failure ? error.cause : error);
}

function faultIn(error: unknown): FaultRead | undefined {
  if (error instanceof MigrationRefused) return error.fault;
  if (error instanceof Failure) return readFault(error.cause);
  return readFault(error);
}
