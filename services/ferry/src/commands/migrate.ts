/* Moves a guest and shows how. The first Ctrl-C ends the migration cleanly, the second this process. */
import { migrate, type Outcome, TRANSPORTS, type Transport } from "@ferry/client";
import { type Command, Option } from "commander";
import { EXIT, exitHelp, VERDICT_EXIT } from "../exit.js";
import { blockerLine, Failure } from "../failure.js";
import { MigrationView, type View } from "../migration-view.js";
import { type Shell, withFleet } from "../shell.js";
import { formatDuration, parseDowntime, parseRate, parseTimeout } from "../units.js";

interface Flags {
  readonly from?: string;
  readonly to: string;
  readonly transport?: Transport;
  readonly network?: string;
  readonly downtime?: number;
  readonly bandwidth?: number;
  readonly timeout?: number;
  readonly heartbeat?: number;
  readonly id?: string;
  readonly json?: boolean;
}

const CODES = {
  ok: "the guest landed",
  returned: "returned: the guest did not move, it is its source's",
  interrupted: "left by a second Ctrl-C, whatever was under way",
};

export function addMigrate(program: Command, shell: Shell): void {
  program
    .command("migrate")
    .description("Moves a running guest to another host.")
    .argument("<guest>", "the guest's name")
    .requiredOption("--to <host>", "where it shall go")
    .option("--from <host>", "where it lives; otherwise every host is asked")
    .addOption(
      new Option(
        "--transport <name>",
        "how its memory travels; otherwise direct, encrypted",
      ).choices(TRANSPORTS),
    )
    .option(
      "--network <name>",
      "which of the destination's networks its memory arrives on, by name or address; otherwise its default",
    )
    .option(
      "--downtime <time>",
      'longest blackout at which to switch over, e.g. "300ms"',
      parseDowntime,
    )
    .option("--bandwidth <rate>", 'limit for the copy, e.g. "100MB/s"; otherwise none', parseRate)
    .option(
      "--timeout <time>",
      'gives the migration up unless the guest has left by then, e.g. "10m"; otherwise it takes what it takes',
      parseTimeout,
    )
    .option(
      "--heartbeat <time>",
      'heartbeats on the tether this often, e.g. "1s", behind an L7 proxy',
      parseTimeout,
    )
    .option("--id <uuid>", "the migration's id, never used before; otherwise a new one")
    .option("--json", "one JSON object per event; the last holds the outcome")
    .addHelpText(
      "after",
      `
This process holds the migration's tether: if it ends before the guest has landed, the guest's copy on
the destination is killed and the guest stays where it is. The first Ctrl-C ends the migration cleanly;
the second leaves at once, which is safe too, only nobody tells you how it ended. Ctrl-Z does nothing.

Example:
  ferry migrate vm1 --to b
  ferry migrate vm1 --from a --to b --transport tunnel --downtime 300ms --bandwidth 100MB/s
  ferry migrate vm1 --to b --timeout 10m

In the agents' logs every line of this migration has its trace_id: that of --traceparent (see ferry --help), or else
the migration's id without dashes.

${exitHelp(["returned", "perished", "pending", "interrupted"], CODES)}`,
    )
    .action((guestId: string, flags: Flags, command: Command) =>
      withFleet(command, async (fleet) => {
        const to = fleet.host(flags.to);
        const from = flags.from ?? (await fleet.find(guestId));
        if (from === flags.to) {
          throw new Failure(
            `${guestId} is to go to ${from}, where it lives`,
            "Nothing was done. Name another host with --to.",
          );
        }
        const caller = new AbortController();
        const view = new MigrationView(shell, flags.json === true);
        const forget = onInterrupt(view, caller);
        try {
          const run = migrate({
            guestId,
            from: fleet.host(from),
            to,
            transport: flags.transport,
            network: flags.network,
            downtimeLimitMs: flags.downtime,
            bandwidthBytesPerSecond: flags.bandwidth,
            timeoutMs: flags.timeout,
            heartbeatMs: flags.heartbeat,
            migrationId: flags.id,
            signal: caller.signal,
          });
          view.begin(`${guestId}: ${from} → ${flags.to}, migration ${run.migrationId}`);
          for await (const event of run) view.show(event);
          const outcome = await run.result;
          if (!flags.json) for (const line of tell(outcome, from, flags.to)) shell.print(line);
          shell.exit(VERDICT_EXIT[outcome.verdict]);
        } finally {
          view.end();
          forget();
        }
      }),
    );
}

/** Answers how to stop listening. */
function onInterrupt(view: View, caller: AbortController): () => void {
  const interrupt = () => {
    if (caller.signal.aborted) process.exit(EXIT.interrupted);
    view.note("ending the migration cleanly; interrupt again to leave at once");
    caller.abort();
  };
  const suspend = () => {
    view.note("not suspended: the tether of a silent caller is cut; Ctrl-C ends the migration");
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  process.on("SIGTSTP", suspend);
  return () => {
    process.off("SIGTSTP", suspend);
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  };
}

function tell(outcome: Outcome, from: string, to: string): string[] {
  const { guestId, verdict, why, durationMs, blackoutMs, qemuDowntimeMs, settled, guestState } =
    outcome;
  const state = guestState === undefined ? "" : ` and is ${guestState} there`;
  if (verdict === "landed") {
    const blackout = blackoutMs ?? qemuDowntimeMs;
    const stood = blackout === undefined ? "" : `; it stood still for ${formatDuration(blackout)}`;
    const open = settled ? [] : [`next: ${from} has yet to let its old copy go: ${outcome.next}`];
    return [
      `${guestId} landed on ${to}${state}, after ${formatDuration(durationMs)}${stood}`,
      ...open,
    ];
  }
  const cause = why?.cause === undefined ? "" : ` (cause: ${why.cause.replaceAll("_", " ")})`;
  const because = why === undefined ? "" : `: ${why.reason}: ${why.description}${cause}`;
  const lines: Record<typeof verdict, string> = {
    returned: `${guestId} did not move: it is ${from}'s${state}${because}`,
    perished: `${guestId} PERISHED on ${to}: its QEMU died there after it may have run${because}`,
    pending: `${guestId} is undecided, migration ${outcome.migrationId}${because}`,
  };
  const next = outcome.next
    .replace(/^(Done|Stop)(: |, )/, "")
    .replace(/^./, (first) => first.toUpperCase());
  return [lines[verdict], ...(why?.blockers ?? []).map(blockerLine), `next: ${next}`];
}
