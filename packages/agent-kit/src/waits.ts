/** How long a call may wait for a settlement when it does not say so itself, in milliseconds. */
const WAIT_DEFAULT_MS = 30_000;
/** The longest a timer of Node.js can wait, in milliseconds; a longer one would fire at once. */
const WAIT_MAX_MS = 2 ** 31 - 1;
/** Left of a call's deadline for the answer to travel back in, in milliseconds. */
const ANSWER_MARGIN_MS = 250;

/**
 * How long a handler may wait before it answers `pending`: what the caller asked for, else 30 s,
 * but never so long that the call's deadline would eat the answer.
 */
export function waitFor(waitMs: number | undefined, deadline: Date | number): number {
  const left = Number(deadline) - Date.now() - ANSWER_MARGIN_MS;
  const wanted = Math.min(waitMs ?? WAIT_DEFAULT_MS, WAIT_MAX_MS);
  return Number.isFinite(left) ? Math.max(0, Math.min(wanted, left)) : wanted;
}
