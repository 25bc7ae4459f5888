import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { CALLER_ROLES, makeAuthority, openAuthority } from "../authority.js";
import {
  type CallerNames,
  type HostNames,
  writeCertificates,
  writeMore,
} from "../certificate-files.js";
import { PLAIN_EXIT_HELP } from "../exit.js";
import { Failure } from "../failure.js";
import type { Shell } from "../shell.js";
import { parseCount } from "../units.js";

const HOST_ID = /^[a-z0-9][a-z0-9.-]{0,63}$/;
const DNS_NAME =
  /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/;
const NAME = /^[A-Za-z0-9._-]{1,64}$/;
/** What browsers and libraries still take for a leaf: a little over two years. */
const DAYS = 825;

interface InitFlags {
  readonly dir: string;
  readonly host: readonly HostNames[];
  readonly controller: string;
  readonly viewer: string;
  readonly operator: string;
  readonly days: number;
  readonly force?: boolean;
}

interface IssueFlags {
  readonly dir: string;
  readonly host?: readonly HostNames[];
  readonly controller?: readonly string[];
  readonly viewer?: readonly string[];
  readonly operator?: readonly string[];
  readonly days: number;
  readonly force?: boolean;
}

export function addCerts(program: Command, shell: Shell): void {
  const certs = program.command("certs").description("Makes certificates for agents and callers.");
  addInit(certs, shell);
  addIssue(certs, shell);
}

function addInit(certs: Command, shell: Shell): void {
  certs
    .command("init")
    .description(
      "Makes a small CA, one certificate per host, and one each for a controller, a viewer and an operator.",
    )
    .option("--dir <directory>", "where to write them", "certs")
    .requiredOption(
      "--host <id=names>",
      "a host's id and its addresses; may be repeated",
      parseHost,
    )
    .option("--controller <name>", "the controller's name", parseName, "controller")
    .option("--viewer <name>", "the viewer's name", parseName, "viewer")
    .option("--operator <name>", "the operator's name", parseName, "operator")
    .option("--days <n>", "how long they hold", parseCount, DAYS)
    .option("--force", "overwrites what is there")
    .addHelpText(
      "after",
      `
DIRECTORY/ca.key signs more of them (\`ferry certs issue\`): keep it off the hosts. DIRECTORY/HOST/ goes to
that host as /etc/ferry/tls. DIRECTORY/controller/ belongs to whoever moves guests; DIRECTORY/viewer/ to
whoever may look and do nothing (dashboards, Prometheus); DIRECTORY/operator/ to the person who may
stand in for a host that is gone (\`ferry resolve --fenced\`) and sweep (\`ferry doctor --sweep\`).
Keys are readable by their owner alone. docs/security.md says who may call what.

Example:
  ferry certs init --dir certs --host a=10.0.0.1,a.example --host b=10.0.0.2

${PLAIN_EXIT_HELP}`,
    )
    .action(async (flags: InitFlags) => {
      const { dir: directory, host: hosts, days, force = false } = flags;
      const callers = CALLER_ROLES.map((role) => ({ role, name: flags[role], folder: role }));
      const authority = await makeAuthority(days);
      const paths = await writeCertificates(authority, { directory, hosts, callers, force });
      for (const path of paths) shell.print(path);
    });
}

function addIssue(certs: Command, shell: Shell): void {
  certs
    .command("issue")
    .description("Makes more certificates with the CA that `ferry certs init` made.")
    .option("--dir <directory>", "where ca.crt and ca.key are, and where to write", "certs")
    .option("--host <id=names>", "a host's id and its addresses; may be repeated", parseHost)
    .option("--controller <name>", "a controller's name; may be repeated", parseNames)
    .option("--viewer <name>", "a viewer's name; may be repeated", parseNames)
    .option("--operator <name>", "an operator's name; may be repeated", parseNames)
    .option("--days <n>", "how long they hold, never longer than the CA", parseCount, DAYS)
    .option("--force", "overwrites what is there: renews it")
    .addHelpText(
      "after",
      `
A host's go to DIRECTORY/HOST/, a caller's to DIRECTORY/ROLE-NAME/. A running agent takes up a renewed
certificate by itself, within 10 s, and cuts nothing.

Example:
  ferry certs issue --viewer prometheus --operator ann
  ferry certs issue --host a=10.0.0.1,a.example --force

${PLAIN_EXIT_HELP}`,
    )
    .action(async (flags: IssueFlags) => {
      const { dir: directory, host: hosts = [], days, force = false } = flags;
      const callers = CALLER_ROLES.flatMap((role): CallerNames[] =>
        (flags[role] ?? []).map((name) => ({ role, name, folder: `${role}-${name}` })),
      );
      if (hosts.length + callers.length === 0) {
        throw new Failure(
          "nobody was named to make a certificate for",
          "Name at least one --host, --controller, --viewer or --operator.",
        );
      }
      const authority = await openAuthority(readAuthority(directory), days).catch((error) => {
        throw new Failure(
          `the CA in ${directory} cannot be used: ${error instanceof Error ? error.message : error}`,
          "Give the directory that `ferry certs init` wrote, with its ca.crt and ca.key; if that CA has ended, make a new one there.",
        );
      });
      const paths = await writeMore(authority, { directory, hosts, callers, force });
      for (const path of paths) shell.print(path);
    });
}

function readAuthority(directory: string) {
  try {
    const read = (name: string) => readFileSync(join(directory, name), "utf8");
    return { cert: read("ca.crt"), key: read("ca.key") };
  } catch (error) {
    throw new Failure(
      `the CA cannot be read: ${error instanceof Error ? error.message : error}`,
      "Give the directory that `ferry certs init` wrote (--dir), with its ca.crt and ca.key.",
    );
  }
}

/** "a=10.0.0.1,a.example" */
function parseHost(text: string, before: readonly HostNames[] = []): HostNames[] {
  const [hostId = "", list = ""] = text.split("=", 2);
  const names = list.split(",").filter((name) => name !== "");
  if (!HOST_ID.test(hostId) || CALLER_ROLES.some((role) => role === hostId)) {
    throw new InvalidArgumentError(
      `a host_id is wanted before "=": 1 to 64 of a-z 0-9 . -, and not ${CALLER_ROLES.join(", ")}`,
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

function parseName(text: string): string {
  if (NAME.test(text)) return text;
  throw new InvalidArgumentError("1 to 64 of A-Z a-z 0-9 . _ - are wanted");
}

function parseNames(text: string, before: readonly string[] = []): string[] {
  return [...before, parseName(text)];
}
