/*
 * Looks at the host of a drain, again and again: which guests are left to move, and whether another look
 * may show more.
 */
import { troubleOf } from "../hear.js";
import { planDrain } from "./plan.js";
import { type SurveyOptions, survey } from "./survey.js";
import type { DrainPlan, PlanOptions } from "./words.js";

/** Between two looks at a host to which guests are still on their way, in milliseconds. */
export const LOOK_MS = 1_000;
/** How long a target that does not answer is waited for when nothing else is left to do, in milliseconds. */
const TARGET_PATIENCE_MS = 30_000;
/** How long the host itself may be silent before its drain is given up, in milliseconds. */
const SILENCE_MS = 30_000;

export interface LookOptions {
  readonly options: SurveyOptions & PlanOptions;
  /** Guests that nobody needs to be asked about again. */
  done(): readonly string[];
  /** Nothing more is to be begun. */
  isOver(): boolean;
  /** The host is silent: told before each pause. */
  silent(message: string): Promise<void>;
}

/** A plan for all that is not done. Throws what the host would not tell, or that it is silent for too long. */
export async function look({ options, done, isOver, silent }: LookOptions): Promise<DrainPlan> {
  const since = performance.now();
  for (;;) {
    try {
      const except = new Set([...options.except, ...done()]);
      const seen = await survey({ ...options, except });
      const known = new Set(done());
      const guests = seen.guests.filter(({ guestId }) => !known.has(guestId));
      return planDrain({ ...seen, guests }, options);
    } catch (error) {
      const { word, message } = troubleOf(error);
      const passing = word === "silence" || word === "again";
      if (!passing || isOver() || performance.now() - since > SILENCE_MS) throw error;
      await silent(`${options.from.name} does not answer: ${message}`);
    }
  }
}

/** Passes on what is not the same as what was passed on last: many looks see the same thing. */
export function changesOnly(say: (message: string) => void): (message: string) => void {
  let last: string | undefined;
  return (message) => {
    if (message !== last) say(message);
    last = message;
  };
}

/** Why another look may show more than this plan, in words; undefined: it will not. Pure. */
export function worthWaiting(
  plan: Pick<DrainPlan, "from" | "arriving" | "left" | "targets">,
  { idleMs, patienceMs }: { readonly idleMs: number; readonly patienceMs: number },
): string | undefined {
  if (plan.arriving > 0 && idleMs < patienceMs) {
    return `${plan.arriving} guests are on their way to ${plan.from}`;
  }
  const homeless = plan.left.some(({ reason }) => reason === "no-target");
  const silent = plan.targets.filter(({ trouble }) => trouble !== undefined);
  if (homeless && silent.length > 0 && idleMs < TARGET_PATIENCE_MS) {
    return silent.map(({ name, trouble }) => `${name}: ${trouble}`).join("; ");
  }
  return undefined;
}
