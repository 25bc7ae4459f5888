/*
 * Grades the walk with every mutant there is. Prints those that nothing complains about and that
 * nobody has explained, and those that were explained and are found by now: both fail it.
 *
 *   node test/dist/model/mutate.js               all of them: minutes
 *   node test/dist/model/mutate.js --part 1/4    every fourth of them, from the first
 */
import { whyLived } from "./lived.js";
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
  const name = spell(mutant);
  const by = found(mutant);
  const why = whyLived(name);
  if (by === undefined) lived += 1;
  if ((by === undefined) === (why !== undefined)) continue;
  process.exitCode = 1;
  process.stdout.write(by === undefined ? `lives: ${name}\n` : `found by now: ${name}: ${by}\n`);
}
process.stderr.write(`${lived} of ${tried} mutants lived\n`);
