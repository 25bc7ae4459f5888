/* Walks the two tables from the command line: what was walked, and where it came to rest. */
import { readOptions } from "../harness/options.js";
import { explore } from "./explore.js";
import { FERRY } from "./setting.js";
import { FULL, QUICK } from "./walks.js";

const HELP = `Usage: node test/dist/model/walk.js [OPTIONS]

Visits every world that the two tables can reach, and checks the laws in each. Prints what was walked and
where it came to rest; a broken law with its shortest story.

  --full   All walks: minutes, and 1.5 GB of memory; otherwise those that npm test takes, a few seconds
  --help   This text

Ends with 0 if no law was broken, with 1 if one was, with 2 for wrong options.
`;

const { full } = readOptions(HELP, { full: { type: "boolean", default: false } });

for (const { title, setting } of full ? FULL : QUICK) {
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
