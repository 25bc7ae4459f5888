import { isIP } from "node:net";
import { type Command, InvalidArgumentError } from "commander";
import { makeAuthority } from "../authority.js";
import { type HostNames, writeCertificates } from "../certificate-files.js";
import { EXIT_HELP } from "../exit.js";
import type { Shell } from "../shell.js";
import { parseCount } from "../units.js";

const HOST_ID = /^[a-z0-9][a-z0-9.-]{0,63}$/;
const DNS_NAME =
  /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/;
const CONTROLLER = /^[A-Za-z0-9._-]{1,64}$/;
/** What browsers and libraries still take for a leaf: a little over two years. */
const DAYS = 825;

interface Flags {
  readonly dir: string;
  readonly host: readonly HostNames[];
  readonly controller: string;
  readonly operator: string;
  readonly days: number;
  readonly force?: boolean;
}

export function addCerts(program: Command, shell: Shell): void {
  program
    .command("certs")
    .description("Makes certificates for agents and controllers.")
    .command("init")
    .description(
      "Makes a small CA, one certificate per host, one for a controller and one for an operator.",
    )
    .option("--dir <directory>", "where to write them", "certs")
    .requiredOption(
      "--host <id=names>",
      "a host's id and its addresses; may be repeated",
      parseHost,
    )
    .option("--controller <name>", "the controller's name", parseController, "controller")
    .option("--operator <name>", "the operator's name", parseController, "operator")
    .option("--days <n>", "how long they hold", parseCount, DAYS)
    .option("--force", "overwrites what is there")
    .addHelpText(
      "after",
      `
DIRECTORY/ca.key signs more of them: keep it off the hosts. DIRECTORY/HOST/ goes to that host as
/etc/ferry/tls; DIRECTORY/controller/ belongs to whoever calls; DIRECTORY/operator/ belongs to the person who
may stand in for a host that is gone (\`ferry resolve --fenced\`) and sweep (\`ferry doctor --sweep\`). Keys are readable by their owner alone.

Example:
  ferry certs init --dir certs --host a=10.0.0.1,a.example --host b=10.0.0.2

${EXIT_HELP}`,
    )
    .action(async (flags: Flags) => {
      const { dir: directory, host: hosts, controller, operator, days, force = false } = flags;
      const authority = await makeAuthority(days);
      const names = { controller, operator };
      const paths = await writeCertificates(authority, { directory, hosts, ...names, force });
      for (const path of paths) shell.print(path);
    });
}

/** "a=10.0.0.1,a.example" */
function parseHost(text: string, before: readonly HostNames[] = []): HostNames[] {
  const [hostId = "", list = ""] = text.split("=", 2);
  const names = list.split(",").filter((name) => name !== "");
  if (!HOST_ID.test(hostId) || hostId === "controller" || hostId === "operator") {
    throw new InvalidArgumentError(
      'a host_id is wanted before "=": 1 to 64 of a-z 0-9 . -, not "controller" or "operator"',
    );
  }
  if (names.length === 0) {
    throw new InvalidArgumentError(
      `host ${hostId} needs an address, e.g. "${hostId}=10.0.0.1,${hostId}.example"`,
    );
  }
  for (const name of names) {
    if (isIP(name) === 0 && !DNS_NAME.test(name)) {
      throw new InvalidArgumentError(`"${name}" is neither an IP address nor a DNS name`);
    }
  }
  if (before.some((other) => other.hostId === hostId)) {
    throw new InvalidArgumentError(`host ${hostId} is named twice: give all its addresses at once`);
  }
  return [...before, { hostId, names }];
}

function parseController(text: string): string {
  if (CONTROLLER.test(text)) return text;
  throw new InvalidArgumentError("1 to 64 of A-Z a-z 0-9 . _ - are wanted");
}
