/*
 * Grades the walk with every mutant there is, and prints those that nothing complains about.
 *
 *   node test/dist/model/mutate.js               all of them: an hour or more
 *   node test/dist/model/mutate.js --part 1/4    every fourth of them, from the first
 *
 * The README beside this file says why those that live may.
 */
import { found, mutantsHeard, spell } from "./mutants.js";

const [part = 1, parts = 1] = (process.argv[process.argv.indexOf("--part") + 1] ?? "")
  .split("/")
  .map((number) => Number.parseInt(number, 10))
  .filter((number) => number > 0);

let lived = 0;
let tried = 0;
for (const [index, mutant] of mutantsHeard().entries()) {
  if (index % parts !== part - 1) continue;
  tried += 1;
  if (found(mutant) !== undefined) continue;
  lived += 1;
  process.stdout.write(`${spell(mutant)}\n`);
}
process.stderr.write(`${lived} of ${tried} mutants lived\n`);
