/*
 * A drain's plan, out of what both ends of every possible move have said. Pure: the same survey gives
 * the same plan. Guests are placed where most memory is free, so that the targets fill evenly; if that
 * leaves a guest without a place, they are packed as tightly as they fit instead. A guest that cannot
 * go anywhere is left with everything that stands in its way, not with the first of it.
 */
import type { Blocker } from "@ferry/contract";
import { inWords, passes, stateIsPassing } from "./blockers.js";
import { foretell, schedule, shareOf } from "./forecast.js";
import type {
  DrainPlan,
  LeftGuest,
  Obstacle,
  PlannedMove,
  PlanOptions,
  Survey,
  SurveyedGuest,
  SurveyedTarget,
} from "./words.js";

/** What a guest claims beside its memory, in bytes: QEMU itself, as the destination's admission counts it. */
export const QEMU_OVERHEAD_BYTES = 64 * 1024 * 1024;

export function claimOf({ memoryBytes }: { readonly memoryBytes: number }): number {
  return memoryBytes + QEMU_OVERHEAD_BYTES;
}

/** A guest with the targets that would take it, as far as it alone is concerned. */
interface Candidate {
  readonly guest: SurveyedGuest;
  readonly fits: readonly string[];
}

type Placement = ReadonlyMap<string, string>;

export function planDrain(survey: Survey, options: PlanOptions): DrainPlan {
  const usable = survey.targets.filter(({ trouble }) => trouble === undefined);
  const left: LeftGuest[] = [];
  const candidates: Candidate[] = [];
  for (const guest of survey.guests) {
    if (options.except.has(guest.guestId)) {
      left.push(excluded(guest));
      continue;
    }
    const fits = usable.filter((target) => mayTake(guest, target)).map(({ name }) => name);
    if (lasting(guest).length > 0) left.push(blocked(guest, survey));
    else if (fits.length === 0) left.push(homeless(guest, survey));
    else candidates.push({ guest, fits });
  }
  const placement = place(candidates, usable);
  for (const { guest } of candidates) {
    if (!placement.has(guest.guestId)) left.push(crowdedOut(guest, survey));
  }
  const placed = candidates.filter(({ guest }) => placement.has(guest.guestId));
  return timed(survey, options, placed, placement, left);
}

/** Blockers at home that no waiting removes. */
function lasting({ here, state }: SurveyedGuest): readonly Blocker[] {
  return stateIsPassing(state) ? [] : here.filter((blocker) => !passes(blocker));
}

function mayTake(guest: SurveyedGuest, { name }: SurveyedTarget): boolean {
  const blockers = guest.there.get(name);
  return blockers?.every(passes) === true;
}

/** The more even of the two ways that leaves nobody out, or the one that leaves fewer. */
function place(candidates: readonly Candidate[], targets: readonly SurveyedTarget[]): Placement {
  const evenly = placeBy(candidates, targets, (free) => -free);
  if (evenly.size === candidates.length) return evenly;
  const tightly = placeBy(candidates, targets, (free) => free);
  return tightly.size > evenly.size ? tightly : evenly;
}

/** The choosiest guest first, of equals the largest; to the target with the lowest rank that has room. */
function placeBy(
  candidates: readonly Candidate[],
  targets: readonly SurveyedTarget[],
  rank: (freeBytes: number) => number,
): Placement {
  const free = new Map(targets.map(({ name, memoryFreeBytes }) => [name, memoryFreeBytes]));
  const placement = new Map<string, string>();
  const inTurn = [...candidates].sort(
    (a, b) =>
      a.fits.length - b.fits.length ||
      b.guest.memoryBytes - a.guest.memoryBytes ||
      a.guest.guestId.localeCompare(b.guest.guestId),
  );
  for (const { guest, fits } of inTurn) {
    const roomy = fits.filter((name) => (free.get(name) ?? 0) >= claimOf(guest));
    const [best] = roomy.sort((a, b) => rank(free.get(a) ?? 0) - rank(free.get(b) ?? 0));
    if (best === undefined) continue;
    placement.set(guest.guestId, best);
    free.set(best, (free.get(best) ?? 0) - claimOf(guest));
  }
  return placement;
}

function timed(
  survey: Survey,
  { parallel: wanted, order, bandwidthBytesPerSecond }: PlanOptions,
  placed: readonly Candidate[],
  placement: Placement,
  left: readonly LeftGuest[],
): DrainPlan {
  const slots = new Map(survey.targets.map((target) => [target.name, target.slots]));
  const parallel = Math.max(1, Math.min(wanted, survey.slots));
  const rate = shareOf(bandwidthBytesPerSecond, parallel);
  const sign = order === "largest" ? -1 : 1;
  const inOrder = [...placed].sort(
    (a, b) =>
      sign * (a.guest.memoryBytes - b.guest.memoryBytes) ||
      a.guest.guestId.localeCompare(b.guest.guestId),
  );
  const tasks = inOrder.map(({ guest }) => ({
    takesMs: foretell(guest.memoryBytes, rate),
    to: placement.get(guest.guestId) ?? "",
  }));
  const { startsAtMs, takesMs } = schedule(tasks, parallel, slots);
  const moves: PlannedMove[] = inOrder.map(({ guest, fits }, index) => {
    const to = tasks[index]?.to ?? "";
    const waitsFor = [...guest.here, ...(guest.there.get(to) ?? [])];
    return {
      guestId: guest.guestId,
      state: guest.state,
      memoryBytes: guest.memoryBytes,
      to,
      others: fits.filter((name) => name !== to),
      startsAtMs: startsAtMs[index] ?? 0,
      takesMs: tasks[index]?.takesMs ?? 0,
      waitsFor: waitsFor.length === 0 ? undefined : inWords(waitsFor),
    };
  });
  const targets = survey.targets.map(({ name, memoryFreeBytes, slots: most, trouble }) => {
    const there = moves.filter(({ to }) => to === name);
    const claimed = there.reduce((sum, move) => sum + claimOf(move), 0);
    const memoryAfterBytes = memoryFreeBytes - claimed;
    const guests = there.length;
    return { name, guests, memoryFreeBytes, memoryAfterBytes, slots: most, trouble };
  });
  const { from, arriving } = survey;
  return { from, parallel, moves, left, targets, arriving, takesMs };
}

function excluded({ guestId }: SurveyedGuest): LeftGuest {
  return {
    guestId,
    reason: "excluded",
    description: "it was to be left",
    obstacles: [],
    next: "Nothing: it was your choice.",
  };
}

function blocked(guest: SurveyedGuest, { from }: Survey): LeftGuest {
  const blockers = lasting(guest);
  return {
    guestId: guest.guestId,
    reason: "blocked",
    description: `${from} will not let it go: ${inWords(blockers)}`,
    obstacles: blockers.map((blocker) => ({ host: from, blocker })),
    next: "Remove what blocks it, then drain again.",
  };
}

function homeless(guest: SurveyedGuest, { targets }: Survey): LeftGuest {
  return {
    guestId: guest.guestId,
    reason: "no-target",
    description: "no target takes it",
    obstacles: obstaclesThere(guest, targets),
    next: "Mend what is listed, or name another target; then drain again.",
  };
}

function crowdedOut(guest: SurveyedGuest, { targets }: Survey): LeftGuest {
  const obstacles = obstaclesThere(guest, targets);
  const told = new Set(obstacles.map(({ host }) => host));
  for (const { name, trouble } of targets) {
    if (told.has(name) || trouble !== undefined) continue;
    const description = `the guest wants ${claimOf(guest)} bytes, and the guests planned before it take what is free there`;
    const subject = `${claimOf(guest)} bytes`;
    obstacles.push({ host: name, blocker: { reason: "MEMORY_SHORT", subject, description } });
  }
  return {
    guestId: guest.guestId,
    reason: "no-target",
    description: "no target has room for it beside the others",
    obstacles,
    next: "Make room on a target, or name another one; then drain again.",
  };
}

function obstaclesThere(guest: SurveyedGuest, targets: readonly SurveyedTarget[]): Obstacle[] {
  return targets.flatMap(({ name: host, trouble }) =>
    trouble === undefined
      ? (guest.there.get(host) ?? []).map((blocker) => ({ host, blocker }))
      : [{ host, blocker: { reason: "UNUSABLE", subject: host, description: trouble } }],
  );
}
