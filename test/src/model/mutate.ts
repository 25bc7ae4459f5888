/*
 * Grades the walk with every mutant there is. Prints those that nothing complains about and that nobody
 * has explained, those whose explanation is not true, and those that are explained and are found by now or
 * do not exist: all of these fail it.
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { readOptions, wholeNumber, wrong } from "../harness/options.js";
import { judge, nameless } from "./judge.js";
import { type Mutant, mutantsHeard, spell } from "./mutants.js";

const HELP = `Usage: node test/dist/model/mutate.js [OPTIONS]

Breaks every cell of the two tables on purpose, one at a time, and sees that the walk, a scenario or the
places where it rests find it, or that lived.ts explains truly why it is harmless.

  --workers N   Processors to use, each with its own 1 GB of memory; default 1: some four minutes
  --only TEXT   Only mutants whose name contains TEXT, e.g. "discarding.override → discarding"
  --help        This text

Ends with 0 if there is nothing to complain about, with 1 if there is, with 2 for wrong options.
`;

const WORKERS_MAX = 64;

interface Judged {
  readonly how: string;
  readonly complaint: string | undefined;
}

interface Share {
  readonly part: number;
  readonly parts: number;
  readonly only: string;
}

if (isMainThread) await main();
else judgeShare(workerData as Share); // what `main` gave it

async function main(): Promise<void> {
  const { workers, only } = readOptions(HELP, {
    workers: { type: "string", default: "1" },
    only: { type: "string", default: "" },
  });
  const parts = wholeNumber("workers", workers, 1, WORKERS_MAX);
  if (only !== "" && chosen(only).length === 0) wrong(`no mutant's name contains "${only}"`);
  const counts = new Map<string, number>();
  const complain = (complaint: string) => {
    process.exitCode = 1;
    process.stdout.write(`${complaint}\n`);
  };
  const heard = ({ how, complaint }: Judged) => {
    counts.set(how, (counts.get(how) ?? 0) + 1);
    if (complaint !== undefined) complain(complaint);
  };
  for (const name of nameless()) complain(`explained, and there is no such mutant: ${name}`);
  await Promise.all(
    Array.from({ length: parts }, (_, part) => share({ part, parts, only }, heard)),
  );
  const words = [...counts].map(([how, count]) => `${count} ${how}`).join(", ");
  process.stderr.write(`${words}\n`);
}

function share(workerData: Share, heard: (judged: Judged) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    new Worker(new URL(import.meta.url), { workerData })
      .on("message", heard)
      .on("error", reject)
      .on("exit", () => resolve());
  });
}

function chosen(only: string): Mutant[] {
  return mutantsHeard().filter((mutant) => spell(mutant).includes(only));
}

function judgeShare({ part, parts, only }: Share): void {
  for (const [index, mutant] of chosen(only).entries()) {
    if (index % parts !== part) continue;
    const { how, complaint } = judge(mutant);
    const told = complaint === undefined ? undefined : `${spell(mutant)}: ${complaint}`;
    parentPort?.postMessage({ how, complaint: told } satisfies Judged);
  }
}
