/* Everything a walk waits for has a limit, and the limit has a name. All in milliseconds. */

export interface Bounds {
  /** How long Begin is repeated: a busy guest, a full host, a silent agent. */
  readonly beginMs: number;
  /** How long the destination may take to make a connection before Prepare is given up unsent. */
  readonly connectMs: number;
  /** How long Prepare may take until `prepared`, repeats included. */
  readonly prepareMs: number;
  /** How long the source may be silent while the destination's copy is not whole yet. */
  readonly reattachMs: number;
  /** How long Abort is repeated before Finish(abandon) is sent without it. */
  readonly abortMs: number;
  /** How long a destination that owes a verdict may be silent; Confirm too while no verdict is known. */
  readonly settleMs: number;
  /** How long the source may take to settle once the outcome is known. */
  readonly confirmMs: number;
  /** How long an agent is asked to wait before it answers `pending`. */
  readonly waitMs: number;
  /** How long any one call may take beyond the time it was asked to wait. */
  readonly callMs: number;
  /** Pause before a call is repeated after silence; doubled each time up to `pauseMaxMs`. */
  readonly pauseMs: number;
  readonly pauseMaxMs: number;
  /** How long the last looks may take: the blackout, and how the guest stands. */
  readonly lookMs: number;
}

export const BOUNDS: Bounds = {
  beginMs: 10_000,
  connectMs: 5_000,
  prepareMs: 120_000,
  reattachMs: 300_000,
  abortMs: 10_000,
  settleMs: 120_000,
  confirmMs: 30_000,
  waitMs: 25_000,
  callMs: 10_000,
  pauseMs: 200,
  pauseMaxMs: 2_000,
  lookMs: 2_000,
};
