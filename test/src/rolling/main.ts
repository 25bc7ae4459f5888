/* A rolling upgrade as a program: every agent of two hosts full of guests is restarted, one by one. */
import { readOptions, wholeNumber } from "../harness/options.js";
import { complaints, rollingRestart } from "./rolling.js";

const HELP = `Usage: npm run rolling -- [OPTIONS]

Restarts every agent of two hosts, one by one, as an upgrade does, while guests live there and others move.
No guest may be paused or lost, and nothing may be left behind.

  --residents N   Guests that live there; default 20
  --migrating N   Guests that are on their way; default 4
  --help          This text

Ends with 0 if every promise was kept, with 1 if not, with 2 for wrong options.
`;

const values = readOptions(HELP, {
  residents: { type: "string", default: "20" },
  migrating: { type: "string", default: "4" },
});
const residents = wholeNumber("residents", values.residents, 0);
const migrating = wholeNumber("migrating", values.migrating, 0);
const say = (text: string) => void process.stderr.write(`${text}\n`);
const startedAt = performance.now();
const rolled = await rollingRestart({
  residents,
  migrating,
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
  `${residents} guests lived there, ${migrating} were on their way, 4 agents were restarted: ` +
    `${rolled.paused.length} paused, ${rolled.harmed.length} harmed, ${wrong.length} promises broken, in ${seconds} s\n`,
);
process.exit(wrong.length === 0 ? 0 : 1);
