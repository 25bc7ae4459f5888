/*
 * Goal: whatever the agents say or fail to say, in whatever order, a controller that follows the
 * rows ends, says nothing that was not told, and never orders what could hurt. Method: walk every
 * state the two pure functions can reach, with every call that is under way hearing every word it
 * may hear. Nothing is sampled. The page for controller authors is compared with the rows.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import type { Asked } from "./asking.js";
import {
  afterMove,
  type Call,
  decide,
  type FinalVerdict,
  type Heard,
  type Known,
  learn,
  NOTHING_KNOWN,
  type Words,
} from "./decide.js";
import { drawPage } from "./page.js";
import { type Move, ROWS, type RowId } from "./rows.js";

const TROUBLE = ["silence", "again", "unknown", "over", "held", "refused", "timeout"] as const;
const VERDICTS = ["landed", "returned", "perished"] as const;
const WORDS: { readonly [C in Call]: readonly Words[C][] } = {
  begin: ["ok", ...TROUBLE],
  prepare: ["accepted", "ok", "unreachable", ...TROUBLE],
  tether: ["news", "met", "lost", ...VERDICTS],
  perform: ["bound", "progress", "released", "failed", ...TROUBLE],
  finish: ["pending", ...VERDICTS, ...TROUBLE],
  abandon: ["pending", ...VERDICTS, ...TROUBLE],
  abort: ["aborted", "underWay", "tooLate", ...TROUBLE],
  confirm: ["pending", ...VERDICTS, ...TROUBLE],
  caller: ["abort"],
};

/** What a walk has made so far. */
interface World {
  readonly known: Known;
  /** Calls that may still say something. */
  readonly open: readonly Call[];
  readonly asked: readonly Asked[];
  readonly end: RowId | undefined;
}

interface Step {
  readonly from: World;
  readonly heard: Heard;
  readonly row: RowId;
  readonly to: World;
}

const START: World = {
  known: NOTHING_KNOWN,
  open: ["begin", "caller"],
  asked: ["begin"],
  end: undefined,
};

/** Calls that are refused with MIGRATION_OVER and a verdict. */
const OVER: ReadonlySet<Call> = new Set(["begin", "prepare", "perform"]);

/** Words that come with a verdict, and the verdicts they may come with. */
function heards(call: Call): Heard[] {
  return WORDS[call].flatMap((word): Heard[] => {
    const heard = { call, word } as Heard; // WORDS pairs them
    if ((VERDICTS as readonly string[]).includes(word)) {
      return [{ ...heard, verdict: word as FinalVerdict }];
    }
    if (word === "over" && OVER.has(call))
      return [heard, ...VERDICTS.map((verdict) => ({ ...heard, verdict }))];
    if (call === "prepare" && word === "refused") return [heard, { ...heard, verdict: "returned" }];
    return [heard];
  });
}

const CALLS: Readonly<Partial<Record<Move, Asked>>> = {
  prepare: "prepare",
  perform: "perform",
  land: "finish",
  abandon: "abandon",
  abort: "abort",
  confirm: "confirm",
  askBoth: "confirm",
};

/** The walk of walk.ts, without the world. */
function hear(world: World, heard: Heard): Step {
  const learned = learn(world.known, heard);
  let known = learned;
  const row = decide(known, heard);
  const { move } = ROWS[row];
  known = afterMove(known, move);
  const open = new Set(world.open);
  const streams =
    (heard.call === "perform" && ["bound", "progress"].includes(heard.word)) ||
    (heard.call === "prepare" && heard.word === "accepted");
  const goesOn =
    move === "repeat" || move === "hold" || streams || ["news", "met"].includes(heard.word);
  if (!goesOn) open.delete(heard.call);
  if (heard.call === "prepare" && heard.word === "ok") open.add("tether");
  const asked = new Set(world.asked);
  const wanted = CALLS[move];
  const again = wanted === "confirm" && learned.confirmOver;
  if (wanted !== undefined && (again || !asked.has(wanted))) {
    asked.add(wanted);
    open.add(wanted);
    if (wanted === "prepare") known = { ...known, there: "perhaps" };
  }
  const end = move === "end" || move === "refuse" ? row : undefined;
  const to = { known, open: [...open].sort(), asked: [...asked].sort(), end };
  return { from: world, heard, row, to };
}

function everyStep(): Step[] {
  const steps: Step[] = [];
  const seen = new Set<string>([JSON.stringify(START)]);
  const worlds = [START];
  for (let world = worlds.pop(); world !== undefined; world = worlds.pop()) {
    if (world.end !== undefined) continue;
    // Whether the destination's copy may be whole is told by its phase, at any time after `prepared`.
    const { known, open } = world;
    const whole = { ...world, known: { ...known, whole: true } };
    const early = known.there === "nothing" || open.includes("prepare");
    const phased = early ? [world] : [world, whole];
    for (const now of phased) {
      for (const heard of now.open.flatMap(heards)) {
        const step = hear(now, heard);
        steps.push(step);
        const key = JSON.stringify(step.to);
        if (!seen.has(key)) {
          seen.add(key);
          worlds.push(step.to);
        }
      }
    }
  }
  return steps;
}

const STEPS = everyStep();

function tell({ from, heard, row }: Step): string {
  return `${JSON.stringify(heard)} → ${row}, knowing ${JSON.stringify(from.known)}, open ${from.open}`;
}

describe("a walk by the rows", () => {
  test("never waits for something that will not come", () => {
    for (const step of STEPS) {
      const waits = step.to.open.filter((call) => call !== "caller" && call !== "tether");
      const alive = step.to.end !== undefined || waits.length > 0;
      assert.ok(alive, `nobody will say anything more: ${tell(step)}`);
    }
  });

  test("says landed or perished only if somebody told so", () => {
    for (const step of STEPS) {
      const { verdict } = step.to.known;
      if (verdict === undefined || step.from.known.verdict === verdict) continue;
      assert.equal(verdict, step.heard.verdict, tell(step));
    }
  });

  test("never changes a verdict", () => {
    for (const step of STEPS) {
      const { verdict } = step.from.known;
      if (verdict !== undefined) assert.equal(step.to.known.verdict, verdict, tell(step));
    }
  });

  test("never orders a landing after an abort or an abandon", () => {
    for (const step of STEPS) {
      const orders =
        ROWS[step.row].move === "land" ||
        (step.heard.call === "finish" && ROWS[step.row].move === "repeat");
      if (orders) assert.ok(!step.from.known.withdrawing, tell(step));
    }
  });

  test("orders a landing only after the agents have met", () => {
    for (const step of STEPS) {
      if (ROWS[step.row].move !== "land") continue;
      assert.ok(["bound", "released", "met"].includes(step.heard.word), tell(step));
    }
  });

  test("never abandons by itself what may be the only good copy: only a fault, a failure or the caller does", () => {
    for (const step of STEPS) {
      if (!step.from.known.whole || ROWS[step.row].move !== "abort") continue;
      const silent = ["silence", "timeout"].includes(step.heard.word);
      const before = !step.from.known.performed;
      assert.ok(!silent || before, tell(step));
    }
  });

  test("leaves a tether alone that somebody else holds", () => {
    for (const step of STEPS) {
      if (
        step.heard.call === "prepare" &&
        step.heard.word === "held" &&
        !step.from.known.withdrawing
      ) {
        if (step.from.known.verdict === undefined)
          assert.equal(step.row, "prepare-held", tell(step));
      }
    }
  });

  test("after perished orders nothing", () => {
    for (const step of STEPS) {
      const told = step.heard.verdict === "perished" && step.from.known.verdict === undefined;
      if (!told || step.heard.call === "prepare" || step.heard.call === "perform") continue;
      assert.ok(["end", "confirm"].includes(ROWS[step.row].move), tell(step));
    }
  });

  test("gives up without a verdict only when nobody is left to ask", () => {
    for (const step of STEPS) {
      if (step.row !== "both-silent") continue;
      const asking: Call[] = ["abandon", "confirm", "abort"];
      if (!step.from.known.withdrawing) asking.push("finish"); // else it was overtaken
      const left = asking.filter((call) => call !== step.heard.call && step.to.open.includes(call));
      assert.deepEqual(left, [], tell(step));
    }
  });

  test("uses every row", () => {
    const used = new Set(STEPS.map(({ row }) => row));
    const unused = Object.keys(ROWS).filter((row) => !used.has(row as RowId));
    assert.deepEqual(unused, []);
  });
});

test("docs/controller.md says what the rows say", () => {
  const page = readFileSync(new URL("../../../docs/controller.md", import.meta.url), "utf8");
  assert.equal(page, drawPage(page), "run: node packages/client/scripts/draw-controller.mjs");
});
