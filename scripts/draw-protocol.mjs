/*
 * Draws docs/protocol.md from the two tables (packages/protocol), built first.
 *
 *   node scripts/draw-protocol.mjs           writes it
 *   node scripts/draw-protocol.mjs --check   fails if it would change (CI)
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  destination,
  destinationDurability,
  source,
  sourceDurability,
  sourceWord,
  verdictOf,
} from "../packages/protocol/dist/index.js";

const GIVEN_UP = ["abandon", "recalled", "cut", "restarted", "keeperGone"];
const DURABLE = { fsync: "**fsync**", write: "write", none: "–" };

const path = fileURLToPath(new URL("../docs/protocol.md", import.meta.url));
const code = fileURLToPath(new URL("../packages/protocol/src/", import.meta.url));
const drawn = draw();
if (process.argv[2] === "--check") {
  const written = existsSync(path) ? readFileSync(path, "utf8") : "";
  if (written !== drawn) {
    process.stderr.write("docs/protocol.md is stale, run: node scripts/draw-protocol.mjs\n");
    process.exitCode = 1;
  }
} else {
  writeFileSync(path, drawn);
}

function draw() {
  return `<!-- Drawn by scripts/draw-protocol.mjs from packages/protocol/src. Do not edit. -->

# The protocol

A migration is a conversation between two small machines, one in the source's agent and one in the destination's. Each is a table: *in this
phase, hearing that, go there and do this*. The tables only decide. A driver runs them: it decides, writes the new phase down as durably as this page
says, and only then acts; what comes of an act is the next thing heard. One thing is heard at a time. So whatever dies between any two of those steps, the
record on disk says where to go on.

**Custody** is the right to run the guest, and exactly one side has it. The source gives it away by saying \`released\`, once its QEMU has sent everything
and the record says so. The destination wakes the guest only when three things were heard, in any order: the caller *ordered* it (Finish), the source *released*
it, its own QEMU *loaded* it. From then on it follows one path: free the keeper, write \`landing\`, \`cont\`, rename the record into \`guests/\`. Every other path ends
with its QEMU killed and the verdict \`returned\`, and the source wakes the guest again. Silence moves nothing: whoever needs to know asks again.

**What the two say to each other.** They talk over Meet, their own stream, and each restates its word on every connect and every beat. A word can thus be late,
lost or repeated without harm. Every word names the *arrival*, a random number made at Prepare: a word about another arrival is not heard. No word is said before the phase
that says it is on disk.

| the source says | in | it means |
|---|---|---|
| \`released\` | ${saying(source, sourceWord, "released")} | the guest is yours, if you were ordered to land it |
| \`bereft\` | ${saying(source, sourceWord, "bereft")} | it is yours, and my QEMU is dead: land it, ordered or not |
| \`recalled\` | ${saying(source, sourceWord, "recalled")} | I will never release it: kill yours |
| nothing, it only asks | the others | |

| the destination says | in | it means |
|---|---|---|
| \`landed\` | ${saying(destination, verdictOf, "landed")} | it is mine: kill yours |
| \`returned\` | ${saying(destination, verdictOf, "returned")} | my QEMU is reaped and the guest never ran here: it is yours again |
| \`perished\` | ${saying(destination, verdictOf, "perished")} | it may have run here, and does not any more: a person must decide |
| \`pending\` | the others | |

A verdict, once told, never changes: a guest that landed and died later still landed.

**How to read the tables.** *Moves* says what is heard, where that leads, and what is done on the way. *Same answer* is a thing that was answered already,
or that concerns nobody in this phase: nothing happens and the answer is the same again. *Refused* is outside the protocol: nothing happens, and whoever said it is told so.
*On disk* is how well a phase is written before anything is acted on: **fsync** survives a power loss, *write* survives the agent, and a dash means that the phase is found
out again: after a restart the agent is in the last phase that was written, hears \`restarted\`, and looks at QEMU.

These tables are walked by a test through every world that they can reach, faults included: see [test/src/model](../test/src/model/README.md).

## The destination

${diagram(destination, destinationDurability, "empty")}

In the drawing \`given up\` stands for ${list(GIVEN_UP)}, and a phase in bold is synced to disk before anything is acted on.

${phases(destination, "destination", "DestinationPhase", "ReceivingPhase")}

### What the destination hears

${words("destination", "DestinationHeard")}

### What it does

${words("destination", "DestinationEffect")}

### The destination's table

${table(destination, destinationDurability)}

## The source

${diagram(source, sourceDurability, "idle")}

${phases(source, "source", "SourcePhase")}

### What the source hears

${words("source", "SourceHeard")}

### What it does

${words("source", "SourceEffect")}

### The source's table

${table(source, sourceDurability)}
`;
}

/** The phases that say a word, as a list. */
function saying(rows, wordOf, word) {
  return list(Object.keys(rows).filter((phase) => wordOf(phase) === word));
}

function list(names) {
  return names.length === 0 ? "–" : names.map((name) => `\`${name}\``).join(", ");
}

/** What a union of strings means: the comment behind each of its members. */
function meanings(file, ...unions) {
  const text = readFileSync(`${code}${file}.ts`, "utf8");
  return unions.flatMap((union) => {
    const [, body] = text.split(`export type ${union} =`);
    const members = body.slice(0, body.search(/\n\n|\n\/\*/)).split("\n");
    return members.flatMap((line) => {
      const [, name, comment] = line.match(/\| "(\w+)";?(?: +\/\/ (.*))?$/) ?? [];
      if (name !== undefined && comment === undefined)
        throw new Error(`${union}: ${name} says nothing`);
      return name === undefined ? [] : [[name, comment.replaceAll("|", "\\|")]];
    });
  });
}

function phases(rows, side, ...unions) {
  const texts = new Map(meanings(side, ...unions));
  const lines = Object.keys(rows).map((phase) => `| \`${phase}\` | ${texts.get(phase)} |`);
  return ["| phase | |", "|---|---|", ...lines].join("\n");
}

function words(side, union) {
  const rows = meanings(side, union).map(([name, text]) => `| \`${name}\` | ${text} |`);
  return ["| | |", "|---|---|", ...rows].join("\n");
}

/** One row a phase: everything that moves, everything answered the same again, everything refused. */
function table(rows, durability) {
  const lines = Object.entries(rows).map(([phase, row]) => {
    const moves = [...moved(row)].map(([to, heard]) => `${list(heard)} → ${to}`).join("<br>");
    const only = (answer) => list(Object.keys(row).filter((heard) => row[heard] === answer));
    return `| \`${phase}\` | ${DURABLE[durability[phase]]} | ${moves || "–"} | ${only("repeat")} | ${only("refuse")} |`;
  });
  return [
    "| phase | on disk | moves | same answer | refused |",
    "|---|---|---|---|---|",
    ...lines,
  ].join("\n");
}

/** What is heard, gathered by where it leads. */
function moved(row) {
  const gathered = new Map();
  for (const [heard, cell] of Object.entries(row)) {
    if (typeof cell === "string") continue;
    const [next, ...effects] = cell;
    const to = [`**${next}**`, ...effects].join(" + ");
    gathered.set(to, [...(gathered.get(to) ?? []), heard]);
  }
  return gathered;
}

/** A state diagram. Phases that everything given up is discarded from are drawn in one frame. */
function diagram(rows, durability, first) {
  const framed = Object.keys(rows).filter((phase) =>
    GIVEN_UP.every((it) => goes(rows, phase, it, "discarding")),
  );
  const lines = ["```mermaid", "stateDiagram-v2"];
  lines.push(`  classDef synced font-weight:bold,stroke-width:3px`, `  [*] --> ${first}`);
  if (framed.length > 0) {
    lines.push('  state "not landed: dies with its tether" as unlanded {');
    for (const phase of framed)
      lines.push(...arrows(rows, phase, framed, true).map((it) => `  ${it}`));
    lines.push(
      "  }",
      "  unlanded --> discarding : given up / kill",
      "  unlanded --> returned : qemuGone",
    );
  }
  for (const phase of Object.keys(rows)) lines.push(...arrows(rows, phase, framed, false));
  for (const phase of Object.keys(rows)) {
    if (durability[phase] === "fsync") lines.push(`  class ${phase} synced`);
  }
  for (const phase of Object.keys(rows)) {
    if (Object.values(rows[phase]).every((cell) => typeof cell === "string"))
      lines.push(`  ${phase} --> [*]`);
  }
  return [...lines, "```"].join("\n");
}

function goes(rows, phase, heard, to) {
  return Array.isArray(rows[phase][heard]) && rows[phase][heard][0] === to;
}

/** The arrows out of a phase: those that stay in its frame, or those that leave it. */
function arrows(rows, phase, framed, inside) {
  const inFrame = framed.includes(phase);
  if (inside !== inFrame && inside) return [];
  const gathered = new Map();
  for (const [heard, cell] of Object.entries(rows[phase])) {
    if (typeof cell === "string") continue;
    const [next, ...effects] = cell;
    if (inFrame && (GIVEN_UP.includes(heard) || heard === "qemuGone")) continue;
    if ((inFrame && framed.includes(next)) !== inside) continue;
    const key = JSON.stringify([next, ...effects]);
    gathered.set(key, [...(gathered.get(key) ?? []), heard]);
  }
  return [...gathered].map(([key, heard]) => {
    const [next, ...effects] = JSON.parse(key);
    return `  ${phase} --> ${next} : ${heard.join(", ")}${effects.map((it) => ` / ${it}`).join("")}`;
  });
}
