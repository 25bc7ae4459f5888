import { type Resolution, resolve, type Testimony } from "@ferry/client";
import { Role } from "@ferry/contract";
import type { Command } from "commander";
import { decideOver } from "../decide-perished.js";
import { exitHelp, VERDICT_EXIT } from "../exit.js";
import { Failure } from "../failure.js";
import { isMigrationId } from "../migration-id.js";
import { type Shell, withFleet } from "../shell.js";
import { type FencedFlags, standIn } from "../stand-in.js";

interface ResolveFlags extends Omit<FencedFlags, "fenced"> {
  readonly json?: boolean;
  readonly fenced?: string;
  readonly takeBack?: boolean;
  readonly acceptPerished?: boolean;
}

const CODES = {
  ok: "landed: it is the destination's",
  returned: "returned: it is the source's",
  pending: "pending: not decided yet, or nobody who knows has answered",
};

const MEANING = {
  landed: "it is the destination's",
  returned: "it is the source's",
  perished:
    "it may have run on the destination before its QEMU died: a person must decide (--take-back or --give-up), start it nowhere",
  pending: "not decided, or nobody who knows has answered: do nothing to it, and ask again",
} as const;

export function addResolve(program: Command, shell: Shell): void {
  program
    .command("resolve")
    .description(
      "Asks all agents what became of a migration. Without --fenced, --take-back and --give-up it orders nothing.",
    )
    .argument("<migration>", "its id")
    .option("--json", "one JSON object")
    .option("--fenced <host>", "stand in for this host, which is known to be gone")
    .option("--reason <text>", "why, for the audit log; with whatever orders something")
    .option("--accept-older-memory", "a source is gone: its guest may wake with older memory")
    .option("--never-landed", "a destination is gone: it is known that the guest never ran there")
    .option(
      "--take-back",
      "it perished at its destination: let the old copy at its source run again",
    )
    .option(
      "--give-up",
      "it perished at its destination, or with --fenced that host is gone: destroy the old copy at its source",
    )
    .option(
      "--forgotten",
      "with --fenced: that host's agent answers and has lost what it knew; no QEMU of the guest is there, I looked",
    )
    .option("--accept-perished", "it is accepted that the guest may have run there for a moment")
    .option("--yes", "do not ask")
    .addHelpText(
      "after",
      `
Example:
  ferry resolve 0b7d3f6e-5a51-4c6f-9c1d-6f6d3ad7c1a4

With --fenced you stand in for a host that is gone for good: powered off, or cut off from its storage and its
network. If it is not, the guest may run twice. It says what it would do, and asks; it needs an operator's
certificate, is refused while that host's agent answers, and is written to the audit log.
  ferry resolve 0b7d3f6e-… --fenced a --reason "power supply burnt" --accept-older-memory

A destination that lost its disk, or its state directory, answers and knows nothing. What runs on it, it does not know
either: look there yourself, and end a QEMU of that guest, before you say so.
  ferry resolve 0b7d3f6e-… --fenced b --reason "new disk, looked with ps" --forgotten --never-landed

A guest that perished may have run at its destination for a moment, and nobody gets it without a person's word:
--take-back lets its old copy at the source run again, --give-up destroys it. Either says what is lost, and asks; it
needs an operator's certificate, and is written to the audit log.
  ferry resolve 0b7d3f6e-… --take-back --reason "its disks were not written to" --accept-perished

${exitHelp(["returned", "perished", "pending"], CODES)}`,
    )
    .action((migrationId: string, flags: ResolveFlags, command: Command) =>
      withFleet(command, async (fleet) => {
        if (!isMigrationId(migrationId)) {
          throw new Failure(
            `${migrationId} is no migration's id: a UUID is wanted`,
            "`ferry migrate` and `ferry watch --all` tell them, and so does the MIGRATION column of `ferry guests`.",
          );
        }
        const agents = fleet.names.flatMap((name) => {
          const { source, destination } = fleet.host(name);
          return [source, destination];
        });
        const { fenced, takeBack, giveUp } = flags;
        if (takeBack && (giveUp || fenced !== undefined)) {
          throw new Failure(
            "--take-back and --give-up exclude each other, and so do --take-back and --fenced",
            "Choose one of them; --help says what each does.",
          );
        }
        if (fenced === undefined && !takeBack && !giveUp) checkNoOrder(flags);
        if (fenced !== undefined) await standIn(migrationId, { ...flags, fenced }, agents, shell);
        else if (takeBack || giveUp) {
          const choice = giveUp ? "give-up" : "take-back";
          await decideOver(migrationId, choice, flags, agents, shell);
        }
        const resolution = await resolve(migrationId, agents);
        const { verdict, settled, guestId, cause, reason } = resolution;
        if (flags.json) {
          shell.json(resolution);
        } else {
          for (const testimony of resolution.testimonies) shell.print(line(testimony));
          const why = [cause?.replaceAll("_", " "), reason].filter(Boolean).join(": ");
          const open =
            settled || verdict === "pending" ? "" : " (the agents are still settling it)";
          shell.print(
            `${guestId ?? "the guest"}: ${verdict}, ${meaningOf(resolution)}${open}${why && ` [${why}]`}`,
          );
        }
        shell.exit(VERDICT_EXIT[verdict]);
      }),
    );
}

/** Half an order that did nothing would be taken for a whole one. */
function checkNoOrder(flags: ResolveFlags): void {
  const { reason, acceptOlderMemory, neverLanded, forgotten, acceptPerished, yes } = flags;
  const given = Object.entries({
    "--reason": reason,
    "--accept-older-memory": acceptOlderMemory,
    "--never-landed": neverLanded,
    "--forgotten": forgotten,
    "--accept-perished": acceptPerished,
    "--yes": yes,
  }).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (given.length === 0) return;
  throw new Failure(
    `${given.join(", ")} orders nothing by itself`,
    "Nothing was done. Say what is to be done: --fenced HOST, --take-back or --give-up; or leave it away to look.",
  );
}

/** A verdict that nobody knows of is most often an id that was mistyped. */
function meaningOf({ verdict, testimonies }: Resolution): string {
  const unknown = testimonies.every(({ reason }) => reason === "MIGRATION_UNKNOWN");
  if (!unknown) return MEANING[verdict];
  return "no agent of the hosts file knows this migration, which proves nothing about its guest: check the id, and that both its hosts are in that file";
}

function line({ address, migration, trouble }: Testimony): string {
  if (migration === undefined) return `  ${address}: ${trouble}`;
  const end = migration.role === Role.SOURCE ? "source" : "destination";
  return `  ${address}: ${end}, ${migration.phase}${migration.settled ? ", settled" : ""}`;
}
