import { check, TRANSPORTS, type Transport } from "@ferry/client";
import type { Blocker } from "@ferry/contract";
import { type Command, Option } from "commander";
import { EXIT, exitHelp } from "../exit.js";
import { at, blockerLine } from "../failure.js";
import { type Shell, withFleet } from "../shell.js";
import { formatDuration } from "../units.js";

interface Flags {
  readonly from?: string;
  readonly to: string;
  readonly transport?: Transport;
  readonly network?: string;
  readonly json?: boolean;
}

const CODES = {
  ok: "nothing stands in the way",
  blocked: "something does",
};

export function addCheck(program: Command, shell: Shell): void {
  program
    .command("check")
    .description(
      "Says whether a guest could move, and lists everything in its way, at both ends and between them: the source really connects to a port of the destination. Nothing else happens.",
    )
    .argument("<guest>", "the guest's name")
    .requiredOption("--to <host>", "where it would go")
    .option("--from <host>", "where it lives; otherwise every host is asked")
    .addOption(new Option("--transport <name>", "how its memory would travel").choices(TRANSPORTS))
    .option(
      "--network <name>",
      "on which of that host's networks it would arrive; otherwise its default",
    )
    .option("--json", "prints the blockers as one JSON object")
    .addHelpText("after", `\nExample:\n  ferry check vm1 --to b\n\n${exitHelp(["blocked"], CODES)}`)
    .action((guestId: string, flags: Flags, command: Command) =>
      withFleet(command, async (fleet) => {
        const { to, transport, network } = flags;
        const target = fleet.host(to);
        const from = flags.from ?? (await fleet.find(guestId));
        const options = { guestId, from: fleet.host(from), to: target, transport, network };
        const { source, destination, path } = await at(
          `${guestId} from ${from} to ${to}`,
          check(options),
        );
        const blocked = source.length + destination.length + (path?.blockers.length ?? 0) > 0;
        if (flags.json) {
          shell.json({ guestId, from, to, movable: !blocked, source, destination, path });
        } else {
          tell(shell, `in the way on ${from}`, source);
          tell(shell, `in the way on ${to}`, destination);
          tell(shell, `in the way between ${from} and ${to}`, path?.blockers ?? []);
          if (path !== undefined && path.address !== "") {
            shell.print(
              `${from} reached ${path.address} on ${to} in ${formatDuration(path.connectMs)}`,
            );
          }
          if (!blocked)
            shell.print(`nothing stands in the way of ${guestId} moving from ${from} to ${to}`);
        }
        if (blocked) shell.exit(EXIT.blocked);
      }),
    );
}

function tell(shell: Shell, title: string, blockers: readonly Blocker[]): void {
  if (blockers.length === 0) return;
  shell.print(`${title}:`);
  for (const blocker of blockers) shell.print(blockerLine(blocker));
}
