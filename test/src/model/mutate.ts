/*
 * Grades the walk with every mutant there is. Prints those that nothing complains about and that
 * nobody has explained, and those that were explained and are found by now: both fail it.
 *
 *   node test/dist/model/mutate.js               all of them: minutes
 *   node test/dist/model/mutate.js --part 1/4    every fourth of them, from the first
 */
import { whyLived } from "./lived.js";
import { grade, mutantsHeard, spell } from "./mutants.js";

const [part = 1, parts = 1] = (process.argv[process.argv.indexOf("--part") + 1] ?? "")
  .split("/")
  .map((number) => Number.parseInt(number, 10))
  .filter((number) => number > 0);

let lived = 0;
let tried = 0;
for (const [index, mutant] of mutantsHeard().entries()) {
  if (index % parts !== part - 1) continue;
  tried += 1;
  const name = spell(mutant);
  const graded = grade(mutant);
  const lives = graded.how === "lives";
  const why = whyLived(name);
  if (lives) lived += 1;
  if (lives === (why !== undefined)) continue;
  process.exitCode = 1;
  process.stdout.write(lives ? `lives: ${name}\n` : `found by now: ${name}: ${graded.by}\n`);
}
process.stderr.write(`${lived} of ${tried} mutants lived\n`);
