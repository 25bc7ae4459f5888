/* stop, pause and resume: one guest, wherever it lives. */
import { type Guest, StopOutcome } from "@ferry/contract";
import type { Command } from "commander";
import { PLAIN_EXIT_HELP } from "../exit.js";
import { at } from "../failure.js";
import type { Fleet } from "../fleet.js";
import { guestLine } from "../guest-lines.js";
import { type Shell, withFleet } from "../shell.js";
import { parseDuration } from "../units.js";

interface Flags {
  readonly host?: string;
  readonly grace?: number;
  readonly json?: boolean;
}

const STOPPED: Readonly<Record<StopOutcome, string>> = {
  [StopOutcome.UNSPECIFIED]: "stopped",
  [StopOutcome.POWERED_DOWN]: "powered itself down",
  [StopOutcome.KILLED]: "was killed: its grace was over, or none was given",
  [StopOutcome.NOT_HERE]: "was not running",
};

export function addPower(program: Command, shell: Shell): void {
  add(
    program,
    "stop",
    "Powers a guest down and, after a grace, kills it.",
    "ferry stop vm1 --grace 30s",
  )
    .option(
      "--grace <time>",
      'how long it may take to power down, e.g. "30s"; "0s" kills at once; otherwise 10s',
      parseDuration,
    )
    .action((guestId: string, flags: Flags, command: Command) =>
      withFleet(command, async (fleet) => {
        const host = await home(fleet, guestId, flags);
        const { grace } = flags;
        const stop = fleet
          .host(host)
          .guests.stop(guestId, grace === undefined ? {} : { graceMs: grace });
        const outcome = await at(`host ${host}`, stop);
        if (flags.json) shell.json({ host, guestId, outcome: StopOutcome[outcome]?.toLowerCase() });
        else shell.print(`${guestId} on ${host} ${STOPPED[outcome] ?? "stopped"}`);
      }),
    );
  add(program, "pause", "Stops a guest's virtual CPUs.", "ferry pause vm1").action(
    (guestId: string, flags: Flags, command: Command) =>
      withFleet(command, async (fleet) => {
        const host = await home(fleet, guestId, flags);
        tell(await at(`host ${host}`, fleet.host(host).guests.pause(guestId)), host, flags, shell);
      }),
  );
  add(program, "resume", "Lets a paused guest run on.", "ferry resume vm1").action(
    (guestId: string, flags: Flags, command: Command) =>
      withFleet(command, async (fleet) => {
        const host = await home(fleet, guestId, flags);
        tell(await at(`host ${host}`, fleet.host(host).guests.resume(guestId)), host, flags, shell);
      }),
  );
}

function add(program: Command, name: string, description: string, example: string): Command {
  return program
    .command(name)
    .description(description)
    .argument("<guest>", "the guest's name")
    .option("--host <host>", "where it lives; otherwise every host is asked")
    .option("--json", "prints what became of it as one JSON object")
    .addHelpText("after", `\nExample:\n  ${example}\n\n${PLAIN_EXIT_HELP}`);
}

function tell(guest: Guest, host: string, { json }: Flags, shell: Shell): void {
  if (json) shell.json({ host, guest });
  else shell.print(guestLine(guest, host));
}

function home(fleet: Fleet, guestId: string, { host }: Flags): Promise<string> {
  return host === undefined ? fleet.find(guestId) : Promise.resolve(host);
}
