/* Empties a host: every guest that can be moved is, a few at a time, and none is stopped. */
import {
  type DrainOptions,
  type DrainOrder,
  type DrainReport,
  drain,
  planOf,
  TRANSPORTS,
  type Transport,
} from "@ferry/client";
import { type Command, Option } from "commander";
import { listen } from "../drain-keys.js";
import { planLines, reportLines } from "../drain-lines.js";
import { DrainView } from "../drain-view.js";
import { EXIT, exitHelp } from "../exit.js";
import { at, Failure } from "../failure.js";
import type { Fleet } from "../fleet.js";
import { type Shell, withFleet } from "../shell.js";
import { parseCount, parseDowntime, parseDuration, parseNames, parseRate } from "../units.js";

/** How long the host may take to say which guests it has, in milliseconds. */
const LOOK_MS = 10_000;

interface Flags {
  readonly to: string[];
  readonly except?: string[];
  readonly parallel?: number;
  readonly order?: DrainOrder;
  readonly transport?: Transport;
  readonly network?: string;
  readonly downtime?: number;
  readonly bandwidth?: number;
  readonly patience?: number;
  readonly heartbeat?: number;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const CODES = {
  ok: "the host is empty, but for those that were to stay; with --dry-run, all guests can move",
  returned: "a guest stayed where it is",
  perished: "of a guest a person must decide, see the message",
  pending: "somebody has yet to say where a guest is; ask again with `ferry resolve`",
  blocked: "with --dry-run: a guest cannot move",
  interrupted: "left by a third Ctrl-C, whatever was under way",
};

export function addDrain(program: Command, shell: Shell): void {
  program
    .command("drain")
    .description("Empties a host: moves all its guests to other hosts, and stops none.")
    .usage("<host> --to <hosts...> [options]")
    .argument("[host]", "the host to be emptied")
    .requiredOption("--to <hosts...>", "where its guests may go, also as b,c", parseNames)
    .option("--except <guests...>", "guests that stay, also as vm1,vm2", parseNames)
    .option("--parallel <number>", "moves under way at once; otherwise 2", parseCount)
    .addOption(
      new Option(
        "--order <which>",
        "which begin first: largest empties the host soonest, smallest gets most guests away early; otherwise largest",
      ).choices(["largest", "smallest"]),
    )
    .addOption(
      new Option("--transport <name>", "how memory travels; otherwise direct, encrypted").choices(
        TRANSPORTS,
      ),
    )
    .option(
      "--network <name>",
      "which of each target's networks memory arrives on, by name or address; otherwise its default",
    )
    .option(
      "--downtime <time>",
      'longest blackout at which to switch over, e.g. "300ms"',
      parseDowntime,
    )
    .option(
      "--bandwidth <rate>",
      'limit for all copies together, e.g. "100MB/s"; otherwise none',
      parseRate,
    )
    .option(
      "--patience <time>",
      'how long a guest may wait for a slot or another migration, e.g. "2m"; otherwise 10m',
      parseDuration,
    )
    .option(
      "--heartbeat <time>",
      'heartbeats on each tether this often, e.g. "1s", behind an L7 proxy',
      parseDuration,
    )
    .option("--dry-run", "shows the plan, and does nothing")
    .option("--json", "the plan as one JSON object, or one per event; the last holds the report")
    .addHelpText(
      "after",
      `
Guests are asked about at both ends first, so the plan lists everything that stands in the way of each.
What the agents' limits refuse is waited for; what one target refuses goes to another; a guest that cannot
move is left running and reported. Guests that come to the host meanwhile are moved too: keep your
scheduler from placing more there. Running the command again goes on where it stopped.

Ctrl-C (or SIGTERM) begins no more moves and waits for those under way; the second ends those cleanly, too;
the third leaves at once, which is safe: what has not landed stays where it is. p or Ctrl-Z pauses and resumes.

Example:
  ferry drain a --to b c --dry-run
  ferry drain a --to b c --parallel 4 --bandwidth 500MB/s --except vm7

${exitHelp(["returned", "perished", "pending", "blocked", "interrupted"], CODES)}`,
    )
    .action((host: string | undefined, flags: Flags, command: Command) =>
      withFleet(command, async (fleet) => {
        if (host === undefined) {
          throw new Failure(
            "which host is to be emptied?",
            "Name it first: --to and --except take every name that follows them.",
          );
        }
        const options = optionsOf(fleet, host, flags);
        await checkExcepted(options);
        if (flags.dryRun) await showPlan(options, flags, shell);
        else await run(options, flags, shell);
      }),
    );
}

function optionsOf(fleet: Fleet, from: string, flags: Flags): DrainOptions {
  const { to, except = [], parallel, order, transport, network } = flags;
  const { downtime, bandwidth, heartbeat, patience } = flags;
  const next = "Name the host to be emptied, and with --to one or more others.";
  if (to.includes(from)) throw new Failure(`${from} cannot take its own guests`, next);
  if (new Set(to).size < to.length) throw new Failure("a target is named twice", next);
  const named = (name: string) => ({ name, host: fleet.host(name) });
  return {
    from: named(from),
    to: to.map(named),
    except,
    parallel,
    order,
    transport,
    network,
    downtimeLimitMs: downtime,
    bandwidthBytesPerSecond: bandwidth,
    heartbeatMs: heartbeat,
    patienceMs: patience,
  };
}

/** A name that nobody has would leave the guest that was meant unprotected. */
async function checkExcepted({ from, except = [] }: DrainOptions): Promise<void> {
  if (except.length === 0) return;
  const guests = await at(from.name, from.host.guests.list({ timeoutMs: LOOK_MS }));
  const unknown = except.filter((name) => !guests.some(({ guestId }) => guestId === name));
  if (unknown.length === 0) return;
  throw new Failure(
    `--except: no guest ${unknown.join(", ")} lives on ${from.name}`,
    "Nothing was done. `ferry guests` lists them all.",
  );
}

async function showPlan(options: DrainOptions, { json }: Flags, shell: Shell): Promise<void> {
  const plan = await at(options.from.name, planOf(options));
  if (json) shell.json(plan);
  else for (const line of planLines(plan)) shell.print(line);
  if (plan.left.some(({ reason }) => reason !== "excluded")) shell.exit(EXIT.blocked);
}

async function run(options: DrainOptions, flags: Flags, shell: Shell): Promise<void> {
  const view = new DrainView(shell, flags.json === true);
  const work = drain(options);
  const quiet = listen(work);
  try {
    for await (const event of work) view.show(event);
    const report = await at(options.from.name, work.result);
    if (!flags.json) for (const line of reportLines(report)) shell.print(line);
    shell.exit(exitOf(report));
  } finally {
    view.end();
    quiet();
  }
}

/** The worst that became of any guest. Those that were to stay count for nothing. */
function exitOf({ left, moved, empty }: DrainReport): number {
  const reasons = new Set(left.map(({ reason }) => reason));
  if (reasons.has("perished")) return EXIT.perished;
  if (reasons.has("pending") || moved.some(({ settled }) => !settled)) return EXIT.pending;
  reasons.delete("excluded");
  if (reasons.size > 0) return EXIT.returned;
  return empty || left.length > 0 ? EXIT.ok : EXIT.pending;
}
