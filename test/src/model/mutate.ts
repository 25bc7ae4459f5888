/*
 * Grades the walk with every mutant there is. Prints those that nothing complains about and that nobody
 * has explained, those whose explanation is not true, and those that are explained and are found by now or
 * do not exist: all of these fail it.
 *
 *   node test/dist/model/mutate.js                all of them
 *   node test/dist/model/mutate.js --workers 2    on two processors; each has its own 1 GB of memory
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { judge, nameless } from "./judge.js";
import { mutantsHeard, spell } from "./mutants.js";

interface Judged {
  readonly how: string;
  readonly complaint: string | undefined;
}

interface Share {
  readonly part: number;
  readonly parts: number;
}

if (isMainThread) await main();
else judgeShare(workerData as Share); // what `main` gave it

async function main(): Promise<void> {
  const at = process.argv.indexOf("--workers");
  const parts = at === -1 ? 1 : Number(process.argv[at + 1]);
  if (!(parts >= 1 && parts <= 64)) throw new Error("--workers takes a number from 1 to 64");
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
  await Promise.all(Array.from({ length: parts }, (_, part) => share({ part, parts }, heard)));
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

function judgeShare({ part, parts }: Share): void {
  for (const [index, mutant] of mutantsHeard().entries()) {
    if (index % parts !== part) continue;
    const { how, complaint } = judge(mutant);
    const told = complaint === undefined ? undefined : `${spell(mutant)}: ${complaint}`;
    parentPort?.postMessage({ how, complaint: told } satisfies Judged);
  }
}
