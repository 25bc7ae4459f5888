import type { Command } from "commander";
import { EXIT, PLAIN_EXIT_HELP } from "../exit.js";
import { guestTable } from "../guest-lines.js";
import { type Shell, withFleet } from "../shell.js";

export function addGuests(program: Command, shell: Shell): void {
  program
    .command("guests")
    .description("Lists the guests of all hosts.")
    .option("--json", "one JSON object per guest")
    .addHelpText(
      "after",
      `
A host that does not answer is named on stderr, and the exit code is then 1.

Example:
  ferry guests

${PLAIN_EXIT_HELP}`,
    )
    .action((flags: { json?: boolean }, command: Command) =>
      withFleet(command, async (fleet) => {
        const { residences, unheard } = await fleet.guests();
        if (flags.json) for (const residence of residences) shell.json(residence);
        else if (residences.length > 0) shell.print(guestTable(residences));
        else if (unheard.length === 0) shell.note("no guests");
        else shell.note("no guests on the hosts that answered");
        for (const { host, why } of unheard) shell.note(`host ${host} ${why}`);
        if (unheard.length === 0) return;
        shell.note("next: `ferry doctor` says what to do about it.");
        shell.exit(EXIT.error);
      }),
    );
}
