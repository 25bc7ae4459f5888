/*
 * The benchmark, as `npm run bench` runs it: every suite in turn, a table at the end, and nothing left
 * behind, however it ends.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Bench, type BenchOptions, type Suite } from "./bench.js";
import { drain, drainOfEmpty } from "./drain.js";
import { idle } from "./idle.js";
import { freezes, kills } from "./kills.js";
import { memory } from "./memory.js";
import { report, toTable } from "./report.js";
import { restarts } from "./restart.js";
import { ROW_IDS, ROWS, type RowId } from "./rows.js";
import { scrapes } from "./scrapes.js";
import { switchover } from "./switchover.js";
import { throughput } from "./throughput.js";

const SUITES: readonly Suite[] = [
  memory,
  idle,
  drain,
  drainOfEmpty,
  kills,
  freezes,
  switchover,
  restarts,
  throughput,
  scrapes,
];
const EXIT = { missed: 1, usage: 2, interrupted: 130 } as const;

const HELP = `Measures Ferry on this machine, beside a bare driver of QEMU where there is one.

  npm run bench -- [--only ROW,ROW…] [--runs N] [--json FILE]

  --only ROW,ROW…  measure only these rows; part of a name stands for every row that has it
  --runs N         measure each row N times (of memory growth: over N migrations)
  --json FILE      write the numbers to FILE, too
  --no-build       measure what was built before
  --help           this text

It ends with 0 if every target was met, with 1 if not. Rows:

${ROW_IDS.map((id) => `  ${id.padEnd(30)} ${ROWS[id].title}`).join("\n")}
`;

interface Options extends BenchOptions {
  readonly json: string | undefined;
}

/** Undefined: help was asked for. Throws Error that says what is wrong. */
function optionsOf(argv: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: "string" },
      runs: { type: "string" },
      json: { type: "string" },
      "no-build": { type: "boolean" }, // scripts/bench.mjs heeds it
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) return undefined;
  const runs = values.runs === undefined ? undefined : Number(values.runs);
  if (runs !== undefined && !(Number.isInteger(runs) && runs >= 1)) {
    throw new Error(`--runs wants a whole number from 1 on, not "${values.runs}"`);
  }
  const only = new Set<RowId>();
  for (const name of values.only?.split(",") ?? [""]) {
    const rows = ROW_IDS.includes(name as RowId)
      ? [name as RowId]
      : ROW_IDS.filter((id) => id.includes(name));
    if (rows.length === 0) throw new Error(`--only: no row is called "${name}"; see --help`);
    for (const row of rows) only.add(row);
  }
  return { only, runs, json: values.json };
}

async function main(): Promise<number> {
  let options: Options | undefined;
  try {
    options = optionsOf(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    return EXIT.usage;
  }
  if (options === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  const bench = new Bench(options);
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (!bench.interrupted) bench.say("undoing what was started");
      void bench.interrupt().then(() => process.exit(EXIT.interrupted));
    });
  }
  let broken = false;
  for (const suite of SUITES) {
    try {
      await bench.run(suite);
    } catch (error) {
      if (bench.interrupted) return new Promise(() => {}); // the signal's own end follows
      broken = true;
      bench.say(`  ${suite.name}: ${error instanceof Error ? error.stack : error}`);
    }
  }
  const rows = report(bench.samples);
  process.stdout.write(`${toTable(rows)}\n`);
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ rows }, undefined, 2)}\n`);
  }
  return broken || rows.some(({ met }) => met === false) ? EXIT.missed : 0;
}

process.exit(await main());
