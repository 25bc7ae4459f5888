/*
 * A host whose clock is stepped, as by somebody's hand or a first answer of a time server: what its agents
 * take for the time of day, and nothing else of theirs. It is stepped back when it is mended, so every row
 * has a step either way.
 */
import { type Fault, hostOf } from "./fault.js";
import { ROLES, type Role } from "./stage.js";

const HOUR_MS = 3_600_000;

/** Longer than one of Node's timers can be set for (2^31 - 1 ms, 24.8 days). */
const MONTH_MS = 31 * 24 * HOUR_MS;

const STEPS = {
  hoursAhead: { ms: 5 * HOUR_MS, words: "5 hours ahead" },
  hoursBack: { ms: -5 * HOUR_MS, words: "5 hours back" },
  monthAhead: { ms: MONTH_MS, words: "31 days ahead" },
  monthBack: { ms: -MONTH_MS, words: "31 days back" },
} as const;

export type ClockStep = keyof typeof STEPS;
export const CLOCK_STEPS = Object.keys(STEPS) as ClockStep[]; // keys of a literal

export function clock(step: ClockStep, role: Role): Fault {
  const { ms, words } = STEPS[step];
  return {
    words: `the ${role} host's clock is stepped ${words}, and later right again`,
    lasts: true,
    cuts: false,
    inject: (scene) => tell(ms, hostOf(role, scene)),
    mend: (scene) => tell(0, hostOf(role, scene)),
  };
}

function tell(aheadMs: number, { agents }: ReturnType<typeof hostOf>): void {
  for (const each of ROLES) agents[each]?.tell({ kind: "clock", aheadMs });
}

/** From now on this process's time of day can be stepped: `aheadMs` of the right one, by the function that is given. */
export function ownClock(): (aheadMs: number) => void {
  let ahead = 0;
  const now = Date.now.bind(Date);
  const stepped = () => now() + ahead;
  globalThis.Date = new Proxy(Date, {
    construct: (real, args, made) =>
      Reflect.construct(real, args.length === 0 ? [stepped()] : args, made),
    get: (real, name, self) => (name === "now" ? stepped : Reflect.get(real, name, self)),
  });
  return (aheadMs) => {
    ahead = aheadMs;
  };
}
