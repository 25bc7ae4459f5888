/*
 * Goal: what the tables say can be read aloud. Method: every file in transcripts/ is a story told to
 * one table: what is heard, a line of dashes, and what comes of it, compared letter by letter.
 *
 *   node packages/protocol/dist/transcripts.test.js --rewrite     refreshes what comes of it
 *
 * Commit a change only if you can say why it is right.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  type Durability,
  destination,
  destinationDurability,
  hear,
  source,
  sourceDurability,
  sourceWord,
  type Table,
  verdictOf,
} from "./index.js";

const directory = fileURLToPath(new URL("../transcripts/", import.meta.url));
const rewrite = process.argv.includes("--rewrite") || process.env.FERRY_REWRITE === "1";

/** One side, with its names forgotten: a transcript is text. */
interface Side {
  readonly first: string;
  readonly table: Table<string, string, string>;
  readonly durability: Readonly<Record<string, Durability>>;
  readonly says: (phase: string) => string;
}

const sides: Record<string, Side> = {
  source: {
    first: "idle",
    table: source,
    durability: sourceDurability,
    says: (phase) => sourceWord(phase as Parameters<typeof sourceWord>[0]),
  },
  destination: {
    first: "empty",
    table: destination,
    durability: destinationDurability,
    says: (phase) => verdictOf(phase as Parameters<typeof verdictOf>[0]),
  },
};
const NOTHING = new Set(["none", "pending"]);

for (const [name, side] of Object.entries(sides)) {
  for (const file of readdirSync(join(directory, name))) {
    test(`${name}: ${file.replace(".txt", "").replaceAll("-", " ")}`, () => {
      const path = join(directory, name, file);
      const written = readFileSync(path, "utf8");
      const played = play(side, written);
      if (rewrite) writeFileSync(path, played);
      else assert.equal(played, written);
    });
  }
}

/** The transcript with what really comes of it under each line of dashes. */
function play(side: Side, transcript: string): string {
  let phase = side.first;
  const told = transcript.split("\n\n").map((block) => {
    const [asked] = block.split("\n----");
    if (asked === undefined || asked.startsWith("#")) return block.trimEnd();
    const lines: string[] = [];
    for (const heard of asked.trim().split(", ")) {
      assert.ok(side.table[phase]?.[heard], `no such thing is heard: ${heard}`);
      const step = hear(side.table, phase, heard);
      if (step.answer !== "moved") {
        lines.push(`${phase} hears ${heard}: ${step.answer}`);
        continue;
      }
      lines.push(...tell(side, phase, step.phase, step.effects));
      phase = step.phase;
    }
    return `${asked.trim()}\n----\n${lines.join("\n")}`;
  });
  return `${told.join("\n\n")}\n`;
}

function tell(side: Side, from: string, to: string, effects: readonly string[]): string[] {
  const durability = side.durability[to];
  const word = side.says(to);
  return [
    `${from} -> ${to}`,
    ...(durability === "none" || from === to ? [] : [`${durability} ${to}`]),
    ...effects.map((effect) => `do ${effect}`),
    ...(NOTHING.has(word) || word === side.says(from) ? [] : [`say ${word}`]),
  ];
}
