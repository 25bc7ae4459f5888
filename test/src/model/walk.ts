/*
 * Walks the two tables from the command line.
 *
 *   node test/dist/model/walk.js           the walks that `npm test` takes
 *   node test/dist/model/walk.js --full    all of them: minutes, and 1.5 GB of memory
 *
 * Prints what was walked and where it came to rest; a broken law with its shortest story.
 */
import { explore } from "./explore.js";
import { FERRY } from "./setting.js";
import { FULL, QUICK } from "./walks.js";

for (const { title, setting } of process.argv.includes("--full") ? FULL : QUICK) {
  const startedAt = performance.now();
  const walk = explore(FERRY, setting);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const rests = [...walk.rests].map(([rest, worlds]) => `    ${worlds}  ${rest}\n`).join("");
  process.stdout.write(
    `${title}: ${walk.worlds} worlds, ${walk.steps} steps, ${seconds} s\n${rests}`,
  );
  if (walk.broken !== undefined) {
    process.stdout.write(`BROKEN: ${walk.broken.law}\n${walk.broken.story}\n`);
    process.exitCode = 1;
  }
}
