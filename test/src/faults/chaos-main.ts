/* npm run chaos -- [--seed S] [--migrations N] [--from K]: the K-th migration of a seed is always the same. */
import { parseArgs } from "node:util";
import { draw, runDraw } from "./chaos.js";
import { Stage } from "./stage.js";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: `${Date.now() % 1_000_000}` },
    migrations: { type: "string", default: "200" },
    from: { type: "string", default: "1" },
  },
});
const seed = Number(values.seed);
const first = Number(values.from);
const count = Number(values.migrations);

const stage = new Stage();
const stop = () => void stage.close().finally(() => process.exit(130));
process.once("SIGINT", stop).once("SIGTERM", stop);
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
