/* npm run rolling -- [--residents N] [--migrating N]: restarts every agent of two hosts full of guests. */
import { parseArgs } from "node:util";
import { complaints, rollingRestart } from "./rolling.js";

const { values } = parseArgs({
  options: {
    residents: { type: "string", default: "20" },
    migrating: { type: "string", default: "4" },
  },
});
const say = (text: string) => void process.stderr.write(`${text}\n`);
const startedAt = performance.now();
const rolled = await rollingRestart({
  residents: Number(values.residents),
  migrating: Number(values.migrating),
  say,
});
for (const { guestId, transport, outcome, rows, afterwards } of rolled.migrations) {
  const why = outcome.why === undefined ? "" : ` (${outcome.why.reason})`;
  say(
    `${guestId}, ${transport}: ${outcome.verdict}${why}; ${rows.join(" ")}; afterwards ${afterwards}`,
  );
}
const wrong = complaints(rolled);
for (const each of wrong) process.stdout.write(`WRONG: ${each}\n`);
const seconds = Math.round((performance.now() - startedAt) / 1_000);
process.stdout.write(
  `${values.residents} guests lived there, ${values.migrating} were on their way, 4 agents were restarted: ` +
    `${rolled.paused.length} paused, ${rolled.harmed.length} harmed, ${wrong.length} promises broken, in ${seconds} s\n`,
);
process.exit(wrong.length === 0 ? 0 : 1);
