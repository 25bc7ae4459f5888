/*
 * Goal: every row of docs/controller.md is true: whoever knows that and hears this does that. Method: one
 * test per row, by its id, of the two functions that controllers of this library decide by; the compiler
 * counts the rows, and the page is read for each. What the walk makes of the rows, against agents that
 * follow a script, is in packages/client; against real ones, in every other file here.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  decide,
  type Heard,
  type Known,
  learn,
  type Move,
  NOTHING_KNOWN,
  ROWS,
  type RowId,
} from "@ferry/client";

/** What I last knew, what I hear, and what I do. */
type Row = readonly [heard: Heard, move: Move, known?: Partial<Known>];

const landed = "landed" as const;
const returned = "returned" as const;
const perished = "perished" as const;
const there: Partial<Known> = { there: "prepared" };
const performed: Partial<Known> = { ...there, performed: true };
const ordered: Partial<Known> = { ...performed, ordered: true, finishing: true };
const withdrawing: Partial<Known> = { ...performed, withdrawing: true, ending: true };
const confirming: Partial<Known> = { ...performed, confirming: true };
const confirmed: Partial<Known> = { ...confirming, verdict: landed };

const CASES: { readonly [R in RowId]: Row } = {
  "begin-ok": [{ call: "begin", word: "ok" }, "prepare"],
  "begin-again": [{ call: "begin", word: "again" }, "repeat"],
  "begin-silence": [{ call: "begin", word: "silence" }, "repeat"],
  "begin-over": [{ call: "begin", word: "over" }, "confirm"],
  "begin-refused": [{ call: "begin", word: "refused" }, "refuse"],
  "begin-timeout": [{ call: "begin", word: "timeout" }, "refuse"],

  "prepare-accepted": [{ call: "prepare", word: "accepted" }, "perform"],
  "prepare-ok": [{ call: "prepare", word: "ok" }, "perform"],
  "prepare-again": [{ call: "prepare", word: "again" }, "repeat"],
  "prepare-unreachable": [{ call: "prepare", word: "unreachable" }, "abort"],
  "prepare-silence": [{ call: "prepare", word: "silence" }, "abort"],
  "prepare-held": [{ call: "prepare", word: "held" }, "end"],
  "prepare-over": [{ call: "prepare", word: "over", verdict: returned }, "abort"],
  "prepare-over-landed": [{ call: "prepare", word: "over", verdict: landed }, "confirm"],
  "prepare-refused": [{ call: "prepare", word: "refused" }, "abort"],
  "prepare-timeout": [{ call: "prepare", word: "timeout" }, "abort"],

  "tether-news": [{ call: "tether", word: "news" }, "wait", there],
  "tether-met": [{ call: "tether", word: "met" }, "land", performed],
  "tether-landed": [{ call: "tether", word: landed, verdict: landed }, "confirm", ordered],
  "tether-returned": [{ call: "tether", word: returned, verdict: returned }, "confirm", performed],
  "tether-returned-early": [{ call: "tether", word: returned, verdict: returned }, "abort", there],
  "tether-perished": [{ call: "tether", word: perished, verdict: perished }, "end", ordered],
  "tether-lost": [{ call: "tether", word: "lost" }, "abort", performed],
  "tether-lost-ordered": [{ call: "tether", word: "lost" }, "askBoth", ordered],

  "perform-bound": [{ call: "perform", word: "bound" }, "land", performed],
  "perform-progress": [{ call: "perform", word: "progress" }, "wait", performed],
  "perform-released": [{ call: "perform", word: "released" }, "land", performed],
  "perform-failed": [{ call: "perform", word: "failed" }, "abandon", performed],
  "perform-again": [{ call: "perform", word: "again" }, "repeat", performed],
  "perform-silence": [{ call: "perform", word: "silence" }, "repeat", performed],
  "perform-hold": [{ call: "perform", word: "timeout" }, "hold", { ...performed, whole: true }],
  "perform-over": [{ call: "perform", word: "over", verdict: returned }, "abandon", performed],
  "perform-over-landed": [{ call: "perform", word: "over", verdict: landed }, "confirm", performed],
  "perform-unknown": [{ call: "perform", word: "unknown" }, "abort", performed],
  "perform-refused": [{ call: "perform", word: "refused" }, "abort", performed],
  "perform-refused-ordered": [{ call: "perform", word: "refused" }, "wait", ordered],
  "perform-timeout": [{ call: "perform", word: "timeout" }, "abort", performed],

  "finish-landed": [{ call: "finish", word: landed, verdict: landed }, "confirm", ordered],
  "finish-returned": [{ call: "finish", word: returned, verdict: returned }, "confirm", ordered],
  "finish-perished": [{ call: "finish", word: perished, verdict: perished }, "end", ordered],
  "finish-pending": [{ call: "finish", word: "pending" }, "repeat", ordered],
  "finish-silence": [{ call: "finish", word: "silence" }, "repeat", ordered],
  "finish-again": [{ call: "finish", word: "again" }, "repeat", ordered],
  "finish-unknown": [{ call: "finish", word: "unknown" }, "confirm", ordered],
  "finish-refused": [{ call: "finish", word: "refused" }, "abort", ordered],
  "finish-timeout": [{ call: "finish", word: "timeout" }, "confirm", ordered],

  "abandon-landed": [{ call: "abandon", word: landed, verdict: landed }, "confirm", withdrawing],
  "abandon-returned": [
    { call: "abandon", word: returned, verdict: returned },
    "confirm",
    withdrawing,
  ],
  "abandon-perished": [{ call: "abandon", word: perished, verdict: perished }, "end", withdrawing],
  "abandon-pending": [{ call: "abandon", word: "pending" }, "repeat", withdrawing],
  "abandon-silence": [{ call: "abandon", word: "silence" }, "repeat", withdrawing],
  "abandon-again": [{ call: "abandon", word: "again" }, "repeat", withdrawing],
  "abandon-unknown": [{ call: "abandon", word: "unknown" }, "confirm", withdrawing],
  "abandon-refused": [{ call: "abandon", word: "refused" }, "confirm", withdrawing],
  "abandon-timeout": [{ call: "abandon", word: "timeout" }, "confirm", withdrawing],

  "abort-aborted": [{ call: "abort", word: "aborted" }, "abandon", withdrawing],
  "abort-under-way": [{ call: "abort", word: "underWay" }, "abandon", withdrawing],
  "abort-too-late": [{ call: "abort", word: "tooLate" }, "abandon", withdrawing],
  "abort-silence": [{ call: "abort", word: "silence" }, "repeat", withdrawing],
  "abort-again": [{ call: "abort", word: "again" }, "repeat", withdrawing],
  "abort-unknown": [{ call: "abort", word: "unknown" }, "abandon", withdrawing],
  "abort-refused": [{ call: "abort", word: "refused" }, "abandon", withdrawing],
  "abort-timeout": [{ call: "abort", word: "timeout" }, "abandon", withdrawing],
  "abort-early": [{ call: "abort", word: "aborted" }, "end", { withdrawing: true, ending: true }],

  "confirm-landed": [{ call: "confirm", word: landed, verdict: landed }, "end", confirming],
  "confirm-returned": [{ call: "confirm", word: returned, verdict: returned }, "end", confirming],
  "confirm-perished": [{ call: "confirm", word: perished, verdict: perished }, "end", confirming],
  "confirm-pending": [{ call: "confirm", word: "pending" }, "repeat", confirming],
  "confirm-silence": [{ call: "confirm", word: "silence" }, "repeat", confirming],
  "confirm-again": [{ call: "confirm", word: "again" }, "repeat", confirming],
  "confirm-later": [{ call: "confirm", word: "timeout" }, "end", confirmed],
  "confirm-open": [{ call: "confirm", word: "unknown" }, "wait", { ...ordered, confirming: true }],
  "both-silent": [{ call: "finish", word: "timeout" }, "end", { ...ordered, confirmOver: true }],

  "caller-abort": [{ call: "caller", word: "abort" }, "abort", performed],
  "verdict-known": [{ call: "tether", word: "lost" }, "wait", { ...ordered, verdict: landed }],
  withdrawn: [{ call: "finish", word: "silence" }, "wait", withdrawing],
};

const root = fileURLToPath(new URL("../../..", import.meta.url));
const page = readFileSync(join(root, "docs/controller.md"), "utf8");

describe("a controller's row", () => {
  for (const [id, [heard, move, known = {}]] of Object.entries(CASES)) {
    test(id, () => {
      const knows = learn({ ...NOTHING_KNOWN, ...known }, heard);
      assert.equal(decide(knows, heard), id);
      const row = ROWS[id as RowId]; // a key of CASES
      assert.equal(row.move, move);
      const line = page.split("\n").find((each) => each.startsWith(`| \`${id}\` |`));
      assert.ok(line?.includes(row.next), "the page says something else");
    });
  }
});

test("no row of the page is without a test that names it", () => {
  const folders = ["packages/client/src", "test/src/e2e"].map((each) => join(root, each));
  const texts = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".test.ts"))
      .map((name) => readFileSync(join(folder, name), "utf8")),
  );
  const ids = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, id = ""]) => id);
  assert.ok(ids.length > 70, "the page is not as expected");
  const unnamed = ids.filter(
    (id) => !texts.some((text) => new RegExp(`["\\s]${id}[":]`).test(text)),
  );
  assert.deepEqual(unnamed, []);
});
