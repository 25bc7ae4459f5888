/*
 * Migrations of which everything is drawn by lot: the guest, the route, the transport, the instant and
 * what breaks at it, sometimes two things at once. Each one is drawn from the seed and its number alone,
 * so any of them can be played again without the ones before it.
 */
import { TRANSPORTS, type Transport } from "@ferry/client";
import type { Ending } from "./ending.js";
import { NothingThere } from "./fault.js";
import { FAULTS, type FaultId, ONCE_IDS } from "./faults.js";
import { INSTANT_IDS, type Instant } from "./instants.js";
import { breakAndMend, close, open, reach } from "./scene.js";
import type { Stage } from "./stage.js";
import { story } from "./story.js";

export interface Draw {
  readonly number: number;
  readonly instant: Instant;
  readonly faults: readonly FaultId[];
  readonly transport: Transport;
  /** MiB of memory that the guest uses, and pages of it that it rewrites per tick. */
  readonly ram: number;
  readonly dirty: number;
  /** From the second host to the first. */
  readonly back: boolean;
}

/** Share of migrations in which two things break. */
const TWICE = 0.25;

export function draw(seed: number, number: number): Draw {
  const random = generator((seed * 1_000_003 + number) >>> 0);
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T; // never empty
  const faults = random() < TWICE ? [one(ONCE_IDS), one(ONCE_IDS)] : [one(ONCE_IDS)];
  const needed = faults.map((fault) => FAULTS[fault].transport).find(Boolean);
  return {
    number,
    instant: one(INSTANT_IDS),
    faults,
    transport: needed ?? one(TRANSPORTS),
    ram: one([4, 8, 16]),
    dirty: one([0, 8, 32]),
    back: random() < 0.5,
  };
}

/** mulberry32: small, and good enough for drawing lots. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface ChaosResult {
  readonly draw: Draw;
  readonly ending: Ending | undefined;
  /** What was broken that must not be. Empty: it ended with one home, or somebody was told. */
  readonly why: readonly string[];
  readonly story: readonly string[];
}

/** Any ending is right by itself; the laws are the same as everywhere. */
const ANY: readonly Ending[] = ["source", "destination"];

export async function runDraw(stage: Stage, drawn: Draw): Promise<ChaosResult> {
  const { instant, faults, back, ...shape } = drawn;
  let scene: Awaited<ReturnType<typeof open>> | undefined;
  try {
    const drawnFaults = faults.map((fault) => mayMiss(FAULTS[fault]));
    scene = await open(stage, instant, shape, back, drawnFaults);
    await reach(scene, instant);
    const [last, ...before] = drawnFaults.toReversed();
    for (const fault of before) await fault.inject(scene);
    if (last !== undefined) {
      await breakAndMend(scene, instant, last, ANY, before);
    }
    const { ending, judgement, troubles } = await close(scene);
    const why = [...judgement.broken, ...troubles];
    const told = why.length > 0 ? story(stage, scene.migrationId) : [];
    if (ending === "perished" || why.length > 0) await stage.renew();
    return { draw: drawn, ending, why, story: told };
  } catch (error) {
    await scene?.controller.end();
    scene?.witness.close();
    const told = scene === undefined ? [] : story(stage, scene.migrationId);
    await stage.renew();
    const why = [String(error instanceof Error ? error.message : error)];
    return { draw: drawn, ending: undefined, why, story: told };
  }

  /** What it aims at may be gone by then, of itself or since the other one killed it: then it misses. */
  function mayMiss(fault: (typeof FAULTS)[FaultId]): typeof fault {
    return {
      ...fault,
      inject: async (at) => {
        try {
          await fault.inject(at);
        } catch (error) {
          if (!(error instanceof NothingThere)) throw error;
        }
      },
    };
  }
}
