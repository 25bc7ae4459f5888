/* Asks both agents of every host what is wrong there, and says what to do about it. */
import {
  type Agent,
  getInfo,
  type Host,
  type HostAddress,
  listMigrations,
  type Security,
} from "@ferry/client";
import { AgentServiceService, type Orphan, readFault } from "@ferry/contract";
import type { Command } from "commander";
import { Bundle } from "../bundle/bundle.js";
import { collectLocal } from "../bundle/local.js";
import { collectRemote } from "../bundle/remote.js";
import { agentCertificateEnd, ownCertificateEnd } from "../certificate-expiry.js";
import { EXIT, exitHelp } from "../exit.js";
import { explain } from "../failure.js";
import {
  certificateFindings,
  type Finding,
  guestFindings,
  merged,
  migrationFindings,
  orphanFindings,
  sweptLines,
} from "../findings.js";
import type { Fleet } from "../fleet.js";
import { type Shell, withFleet } from "../shell.js";

interface Flags {
  readonly sweep?: boolean;
  readonly bundle?: string;
  readonly config?: readonly string[];
  readonly json?: boolean;
}

/** How long an agent may take to answer, in milliseconds; sweeping may wait for QEMUs to end. */
const ASK_MS = 10_000;
const SWEEP_MS = 60_000;

const CODES = {
  ok: "nothing is wrong",
  error: "something is, or the question could not be asked",
};

interface Report {
  readonly findings: readonly Finding[];
  readonly swept: readonly Orphan[];
}

export function addDoctor(program: Command, shell: Shell): void {
  program
    .command("doctor")
    .description(
      "Looks for what is wrong: agents that do not answer, certificates that end, guests that are lost, migrations that hang, and what was left behind.",
    )
    .argument("[hosts...]", "only these hosts")
    .option("--sweep", "remove what nobody owns; wants an operator's certificate")
    .option("--bundle <file>", "also writes all a bug report needs into this .tar.gz, keys removed")
    .option(
      "--config <file>",
      "with --bundle, on a host: an agent's configuration; adds it, its log's end, records, audit log and metrics (repeatable)",
      (file: string, files: readonly string[] = []) => [...files, file],
    )
    .option("--json", "one JSON object per finding")
    .addHelpText(
      "after",
      `
Example:
  ferry doctor
  ferry doctor a --sweep
  ferry doctor --bundle report.tar.gz --config /etc/ferry/source.yaml --config /etc/ferry/destination.yaml

A bundle holds what agents tell (versions, guests, migrations, orphans, health) and the findings; what could not be
got is listed in it with the reason. Look through it before you send it.

${exitHelp([], CODES)}`,
    )
    .action((names: string[], flags: Flags, command: Command) =>
      withFleet(command, async (fleet) => {
        const hosts = names.length > 0 ? names : fleet.names;
        for (const name of hosts) fleet.host(name); // a name that is wrong is said before anything is done
        const now = new Date();
        const reports = await Promise.all(hosts.map((name) => examine(name, fleet, flags, now)));
        const own = ownFindings(fleet, now);
        if (own.length > 0) tell("", { findings: own, swept: [] }, flags, shell);
        hosts.forEach((name, index) => {
          const report = reports[index];
          if (report !== undefined) tell(name, report, flags, shell);
        });
        const all = [...own, ...reports.flatMap(({ findings }) => findings)];
        if (flags.bundle !== undefined)
          await bundle(flags.bundle, { fleet, hosts, flags, all }, shell);
        if (all.length > 0) shell.exit(EXIT.error);
      }),
    );
}

async function bundle(
  file: string,
  about: { fleet: Fleet; hosts: string[]; flags: Flags; all: readonly Finding[] },
  shell: Shell,
): Promise<void> {
  const { fleet, hosts, flags, all } = about;
  const made = new Bundle();
  await made.add("findings.json", "what doctor found", () => all);
  await collectRemote(made, fleet, hosts);
  const { config = [] } = flags;
  await collectLocal(made, config);
  if (config.length === 0) {
    made.miss("local files", "no --config named an agent's configuration on this host");
  }
  await made.write(file, new Date());
  for (const line of made.lines(file)) {
    if (flags.json) shell.note(line);
    else shell.print(line);
  }
}

function ownFindings(fleet: Fleet, now: Date): Finding[] {
  const [security] = fleet.file.hosts.values();
  const end = security === undefined ? undefined : ownCertificateEnd(security);
  return end === undefined ? [] : certificateFindings("this command", end, now);
}

async function examine(name: string, fleet: Fleet, flags: Flags, now: Date): Promise<Report> {
  const host = fleet.host(name);
  const address = fleet.file.hosts.get(name);
  const findings: Finding[] = [];
  const answers: Orphan[][] = [];
  for (const role of ["source", "destination"] as const) {
    const agent = host[role];
    if (address !== undefined) findings.push(...(await certificate(role, agent, address, now)));
    const asked = await answering(role, agent, async () => {
      const { draining } = await getInfo(agent, { timeoutMs: ASK_MS });
      if (draining) findings.push(drainingFinding(role, agent));
      if (role === "source")
        findings.push(...guestFindings(await host.guests.list({ timeoutMs: ASK_MS })));
      findings.push(
        ...migrationFindings(await listMigrations(agent, "", { timeoutMs: ASK_MS }), now),
      );
      answers.push(await orphansOf(host, role, flags, findings));
    });
    findings.push(...asked);
  }
  const orphans = merged(answers);
  findings.push(...orphanFindings(orphans));
  return { findings, swept: orphans.filter(({ swept }) => swept) };
}

async function certificate(
  role: string,
  agent: Agent,
  address: HostAddress & Security,
  now: Date,
): Promise<Finding[]> {
  const end = await agentCertificateEnd(agent.address, address, ASK_MS);
  const whose = `${role} agent ${agent.address}`;
  return end === undefined ? [] : certificateFindings(whose, end, now);
}

/** Runs the questions; the first that is not answered is a finding. */
async function answering(role: string, agent: Agent, ask: () => Promise<void>): Promise<Finding[]> {
  try {
    await ask();
    return [];
  } catch (error) {
    return [{ kind: "agent", subject: `${role} agent ${agent.address}`, ...wordsFor(error) }];
  }
}

/** An operator's certificate may be wanted; then it is at least listed. */
async function orphansOf(
  host: Host,
  role: "source" | "destination",
  flags: Flags,
  findings: Finding[],
): Promise<Orphan[]> {
  const ask = async (sweep: boolean) => {
    const request = { expectedAgentId: host.expected[role], sweep };
    const timeoutMs = sweep ? SWEEP_MS : ASK_MS;
    const method = AgentServiceService.listOrphans;
    return (await host[role].unary(method, request, { timeoutMs })).orphans;
  };
  if (flags.sweep !== true) return ask(false);
  try {
    return await ask(true);
  } catch (error) {
    if (readFault(error)?.reason !== "FORBIDDEN") throw error;
    const subject = `${role} agent ${host[role].address}`;
    findings.push({ kind: "agent", subject, ...wordsFor(error) });
    return ask(false);
  }
}

/** An agent that refuses has answered; whatever else went wrong, it has not. */
function wordsFor(error: unknown): Pick<Finding, "what" | "next"> {
  const lines = explain(error);
  const isNext = (line: string) => line.startsWith("next: ");
  const what = lines
    .filter((line) => !isNext(line) && !line.startsWith("request id"))
    .join(" ")
    .replace(/^error: /, "");
  const verb = readFault(error) === undefined ? "does not answer" : "refuses";
  return { what: `${verb}: ${what}`, next: (lines.find(isNext) ?? "").replace("next: ", "") };
}

function drainingFinding(role: string, agent: Agent): Finding {
  return {
    kind: "agent",
    subject: `${role} agent ${agent.address}`,
    what: "is shutting down, and takes no new work",
    next: "Wait until it is back; if nobody restarts it, start it.",
  };
}

/** `host`: "" for what is wrong at this end. */
function tell(host: string, { findings, swept }: Report, { json }: Flags, shell: Shell): void {
  if (json) {
    for (const finding of findings) shell.json({ host, ...finding });
    for (const { subject, reason } of swept) {
      shell.json({ host, kind: "swept", subject, what: reason });
    }
    return;
  }
  const count = findings.length === 1 ? "1 finding" : `${findings.length} findings`;
  const where = host === "" ? "here" : `host ${host}`;
  shell.print(`${where}: ${findings.length === 0 ? "nothing is wrong" : count}`);
  for (const line of sweptLines(swept)) shell.print(`  ${line}`);
  for (const { subject, what, next } of findings) {
    shell.print(`  ${subject}: ${what}`);
    if (next !== "") shell.print(`    next: ${next}`);
  }
}
