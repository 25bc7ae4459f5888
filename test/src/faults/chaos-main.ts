/*
 * Migrations with faults drawn by lot, each judged by its guest. What is drawn depends on the seed and on
 * its number alone: so whatever failed can be run again.
 */
import { readOptions, wholeNumber } from "../harness/options.js";
import { draw, runDraw } from "./chaos.js";
import { Stage } from "./stage.js";

const HELP = `Usage: npm run chaos -- [OPTIONS]   (as root)

Moves a guest between two hosts again and again, each time with one or two faults at instants drawn by
lot. The guest itself is the judge: no tick twice, none skipped, one home in the end, nothing left behind.

  --seed S         What is drawn; default: another one each time, and printed
  --migrations N   How many; default 200, some 4 s each
  --from K         Begin at the K-th: --seed S --from K --migrations 1 repeats one that failed
  --help           This text

Ends with 0 if no law was broken, with 1 if one was, with 2 for wrong options, with 130 after ^C.
`;

const values = readOptions(HELP, {
  seed: { type: "string", default: `${Date.now() % 1_000_000}` },
  migrations: { type: "string", default: "200" },
  from: { type: "string", default: "1" },
});
const seed = wholeNumber("seed", values.seed, 0);
const first = wholeNumber("from", values.from, 1);
const count = wholeNumber("migrations", values.migrations, 1);

const stage = new Stage();
const stop = () => void stage.close().finally(() => process.exit(130));
process.on("SIGINT", stop).on("SIGTERM", stop); // again and again: a second one must not end us half-way
const endings = new Map<string, number>();
let failed = 0;
try {
  await stage.start();
  for (let number = first; number < first + count; number += 1) {
    const { draw: drawn, ending, why, story } = await runDraw(stage, draw(seed, number));
    const { instant, faults, transport, ram, dirty, back } = drawn;
    const route = back ? "host-2 to host-1" : "host-1 to host-2";
    const words = `${faults.join(" + ")} at ${instant}; ${transport}, ${route}, ${ram} MiB, ${dirty} pages a tick`;
    const mark = why.length === 0 ? "ok  " : "FAIL";
    process.stdout.write(
      `${mark} --seed ${seed} --from ${number}: ${words}: ${ending ?? "no ending"}\n`,
    );
    for (const line of [...why, ...story]) process.stdout.write(`       ${line}\n`);
    if (why.length > 0) failed += 1;
    endings.set(ending ?? "none", (endings.get(ending ?? "none") ?? 0) + 1);
  }
} finally {
  await stage.close();
}
const counted = [...endings].map(([ending, times]) => `${ending} ${times}`).join(", ");
process.stdout.write(`\nseed ${seed}: ${count} migrations, ${failed} broke a law (${counted})\n`);
process.exitCode = failed > 0 ? 1 : 0;
