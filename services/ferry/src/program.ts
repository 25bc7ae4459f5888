/* The command line, composed of its subcommands. */
import { readFileSync } from "node:fs";
import { readTraceparent } from "@ferry/contract";
import { Command, InvalidArgumentError } from "commander";
import { addCall } from "./commands/call.js";
import { addCerts } from "./commands/certs.js";
import { addCheck } from "./commands/check.js";
import { addDoctor } from "./commands/doctor.js";
import { addDrain } from "./commands/drain.js";
import { addGuests } from "./commands/guests.js";
import { addInfo } from "./commands/info.js";
import { addMigrate } from "./commands/migrate.js";
import { addPower } from "./commands/power.js";
import { addResolve } from "./commands/resolve.js";
import { addStart } from "./commands/start.js";
import { addWatch } from "./commands/watch.js";
import { EXIT_HELP } from "./exit.js";
import type { Shell } from "./shell.js";

const VERSION: string = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
).version;

export function ferry(shell: Shell, hosts: string | undefined): Command {
  const program = new Command("ferry")
    .description("Moves running QEMU guests between hosts, and never leaves one running twice.")
    .option(
      "--hosts <file>",
      "the hosts file; also FERRY_HOSTS, else ./ferry.yaml, else ~/.config/ferry/hosts.yaml",
      hosts,
    )
    .option(
      "--traceparent <context>",
      "your span, as W3C writes it; also TRACEPARENT. Sent with every call: agents log and trace what they do for it under it",
      parseTraceparent,
    )
    .version(`ferry ${VERSION}`, "-V, --version", "prints this command's version")
    .helpOption("-h, --help", "says this")
    .helpCommand("help [command]", "says how to use a command")
    .exitOverride()
    .addHelpText(
      "after",
      `
Example:
  ferry start a --name vm1 --memory 256M --disk /srv/ferry/vm1.qcow2,format=qcow2
  ferry guests
  ferry check vm1 --to b
  ferry migrate vm1 --to b
  ferry drain a --to b c --dry-run

${EXIT_HELP}`,
    );
  for (const add of [
    addStart,
    addPower,
    addGuests,
    addCheck,
    addMigrate,
    addDrain,
    addResolve,
    addWatch,
    addInfo,
    addDoctor,
    addCerts,
    addCall,
  ]) {
    add(program, shell);
  }
  teach(program);
  return program;
}

/** Whoever used a command wrongly is told of that command's own help. */
function teach(command: Command, before = ""): void {
  const name = `${before}${command.name()}`;
  command.showHelpAfterError(`next: ${name} --help tells how.`);
  for (const each of command.commands) teach(each, `${name} `);
}

function parseTraceparent(text: string): string {
  if (readTraceparent(text) !== undefined) return text;
  throw new InvalidArgumentError(
    '"00-TRACE-SPAN-01" is wanted, with 32 and 16 hexadecimal digits that are not all 0',
  );
}
