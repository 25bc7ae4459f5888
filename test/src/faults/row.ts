/* One row of the matrix, from a healthy guest to its judgement. It throws nothing. */
import type { Ending } from "./ending.js";
import { FAULTS, type FaultId } from "./faults.js";
import type { Instant } from "./instants.js";
import { MATRIX } from "./matrix.js";
import { breakAndMend, close, ENDED_BEFORE, open, reach, shapeFor } from "./scene.js";
import type { Stage } from "./stage.js";
import { story } from "./story.js";

export interface Result {
  readonly instant: Instant;
  readonly fault: FaultId;
  readonly passed: boolean;
  readonly cannot?: string;
  readonly leftOut?: string;
  readonly ending?: Ending;
  /** From the fault's end to the migration's, in milliseconds. */
  readonly healedMs: number;
  /** The guest ran nowhere for this long, in milliseconds. */
  readonly stoodStillMs: number;
  readonly tookMs: number;
  readonly why: readonly string[];
  /** What the agents said, if it failed. */
  readonly story?: readonly string[];
}

/**
 * A machine that is too busy can end a migration before its instant: a keepalive that comes too late, a
 * beat that is missed. That says nothing of the row, so it is tried again this often.
 */
const TRIES_MAX = 3;

export async function runCell(stage: Stage, instant: Instant, id: FaultId): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    const result = await tryCell(stage, instant, id);
    const early = result.why.some((line) => line.startsWith(ENDED_BEFORE));
    if (!early || tries === TRIES_MAX) return result;
  }
}

async function tryCell(stage: Stage, instant: Instant, id: FaultId): Promise<Result> {
  const cell = MATRIX[id][instant];
  const none = { healedMs: 0, stoodStillMs: 0, tookMs: 0, why: [] };
  if (!("endings" in cell)) return { instant, fault: id, passed: true, ...cell, ...none };
  const startedAt = performance.now();
  const row = { instant, fault: id };
  let scene: Awaited<ReturnType<typeof open>> | undefined;
  try {
    const fault = FAULTS[id];
    scene = await open(stage, instant, shapeFor(fault), false, [fault]);
    await reach(scene, instant);
    const mendedAt = await breakAndMend(scene, instant, fault, cell.endings);
    const { ending, judgement, troubles, endedAt } = await close(scene);
    const why = [...judgement.broken, ...troubles];
    if (!cell.endings.includes(ending)) {
      why.push(`it ended at ${ending}, and must end at ${cell.endings.join(" or ")}`);
    }
    const told = why.length > 0 ? { story: story(stage, scene.migrationId) } : {};
    if (ending === "perished" || why.length > 0) await stage.renew();
    return {
      ...told,
      ...row,
      passed: why.length === 0,
      ending,
      healedMs: Math.round(Math.max(0, endedAt - mendedAt)),
      stoodStillMs: Math.round(judgement.stoodStillMs),
      tookMs: Math.round(performance.now() - startedAt),
      why,
    };
  } catch (error) {
    const tookMs = Math.round(performance.now() - startedAt);
    const why = [String(error instanceof Error ? error.message : error)];
    await scene?.controller.end();
    scene?.witness.close();
    const told = scene === undefined ? {} : { story: story(stage, scene.migrationId) };
    await stage.renew();
    return { ...row, ...told, passed: false, healedMs: 0, stoodStillMs: 0, tookMs, why };
  }
}
