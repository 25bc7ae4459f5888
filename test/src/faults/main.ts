/*
 * The failure matrix: npm run faults -- [--list] [--only TEXT] [--from TEXT] [--shard I/N] [--json FILE]
 * A row's name is "instant fault"; --only takes rows that contain the text.
 */
import { appendFileSync } from "node:fs";
import { readOptions } from "../harness/options.js";
import { wordsOfCell } from "./cells.js";
import { FAULT_IDS, FAULTS } from "./faults.js";
import { INSTANT_IDS } from "./instants.js";
import { MATRIX } from "./matrix.js";
import { readResults, writeReport } from "./report.js";
import { type Result, runCell } from "./row.js";
import { Stage } from "./stage.js";

const HELP = `Usage: npm run faults -- [OPTIONS]   (as root)

  --list         Say which rows there are, and what each must end in.
  --only TEXT    Only rows whose name contains TEXT; may be repeated, all must match.
  --from TEXT    Begin at the first row whose name contains TEXT.
  --shard I/N    The I-th of N shares of the rows.
  --json FILE    Append each result to FILE, a line of JSON each.
  --done FILE    Leave out rows that passed in FILE; may be repeated. For a run that was interrupted.
  --report FILE  Run nothing: write docs/faults.md from such files; may be repeated.
`;

const values = readOptions(HELP, {
  list: { type: "boolean", default: false },
  only: { type: "string", multiple: true, default: [] },
  from: { type: "string" },
  shard: { type: "string", default: "1/1" },
  json: { type: "string" },
  done: { type: "string", multiple: true, default: [] },
  report: { type: "string", multiple: true, default: [] },
});

if (values.report.length > 0) writeReport(values.report);
else await main();

async function main(): Promise<void> {
  let rows = INSTANT_IDS.flatMap((instant) => FAULT_IDS.map((fault) => ({ instant, fault })));
  if (!values.list)
    rows = rows.filter(({ instant, fault }) => !("leftOut" in MATRIX[fault][instant]));
  const name = (row: (typeof rows)[number]) => `${row.instant} ${row.fault}`;
  rows = rows.filter((row) => values.only.every((text) => name(row).includes(text)));
  const { from } = values;
  if (from !== undefined) rows = rows.slice(rows.findIndex((row) => name(row).includes(from)));
  const done = values.done.flatMap(readResults).filter(({ passed }) => passed);
  const passed = new Set(done.map(name));
  rows = rows.filter((row) => !passed.has(name(row)));
  const [share = 1, shares = 1] = values.shard.split("/").map(Number);
  rows = rows.filter((_, index) => index % shares === share - 1);
  if (values.list) {
    for (const row of rows) {
      const cell = MATRIX[row.fault][row.instant];
      process.stdout.write(`${name(row)}: ${wordsOfCell(cell)}\n`);
    }
    return;
  }
  const stage = new Stage();
  const stop = () => void stage.close().finally(() => process.exit(130));
  process.on("SIGINT", stop).on("SIGTERM", stop); // again and again: a second one must not end us half-way
  const results: Result[] = [];
  try {
    await stage.start();
    for (const row of rows) {
      const result = await runCell(stage, row.instant, row.fault);
      results.push(result);
      if (values.json !== undefined) appendFileSync(values.json, `${JSON.stringify(result)}\n`);
      const { passed, ending, tookMs, healedMs, stoodStillMs, why } = result;
      const mark = passed ? "ok  " : "FAIL";
      const words = `${ending ?? "no ending"} healed ${healedMs} ms, stood still ${stoodStillMs} ms, row ${tookMs} ms`;
      process.stdout.write(`${mark} ${name(row)} (${FAULTS[row.fault].words}): ${words}\n`);
      for (const line of why) process.stdout.write(`       ${line}\n`);
      for (const line of result.story ?? []) process.stdout.write(`         ${line}\n`);
    }
  } finally {
    await stage.close();
  }
  const failed = results.filter(({ passed }) => !passed).length;
  process.stdout.write(
    `\n${results.length - failed} of ${results.length} rows ended as they must\n`,
  );
  process.exitCode = failed > 0 || results.length === 0 ? 1 : 0;
}
