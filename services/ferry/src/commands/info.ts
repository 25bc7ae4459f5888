import { type Agent, getInfo, wordsOf } from "@ferry/client";
import { Accelerator, type GetInfoResponse } from "@ferry/contract";
import type { Command } from "commander";
import { EXIT, EXIT_HELP } from "../exit.js";
import { limitLines } from "../limit-lines.js";
import { type Shell, withFleet } from "../shell.js";

/** How long an agent may take to introduce itself, in milliseconds. */
const ASK_MS = 10_000;

export function addInfo(program: Command, shell: Shell): void {
  program
    .command("info")
    .description("Shows what every agent is and can do: versions, QEMU, limits, features.")
    .argument("[hosts...]", "only these hosts")
    .option("--json", "one JSON object per agent")
    .addHelpText("after", `\nExample:\n  ferry info a\n\n${EXIT_HELP}`)
    .action((names: string[], flags: { json?: boolean }, command: Command) =>
      withFleet(command, async (fleet) => {
        for (const name of names.length > 0 ? names : fleet.names) {
          const { source, destination } = fleet.host(name);
          for (const agent of [source, destination]) await show(name, agent, flags, shell);
        }
      }),
    );
}

async function show(
  host: string,
  agent: Agent,
  { json }: { json?: boolean },
  shell: Shell,
): Promise<void> {
  try {
    const info = await getInfo(agent, { timeoutMs: ASK_MS });
    if (json) shell.json({ host, address: agent.address, info });
    else shell.print(describe(agent.address, info));
  } catch (error) {
    shell.note(`host ${host}: ${agent.address} did not answer: ${wordsOf(error)}`);
    shell.exit(EXIT.error);
  }
}

function describe(address: string, info: GetInfoResponse): string {
  const { qemu, limits } = info;
  const lines = [
    `${info.agentId} at ${address}${info.draining ? ", draining: it takes no new work" : ""}`,
    `  ferry ${info.version}, agents' protocol ${info.protocolVersion}, ${info.guests} guests`,
  ];
  if (qemu !== undefined) {
    const accelerator = (Accelerator[qemu.accelerator] ?? "?").toLowerCase();
    lines.push(`  QEMU ${qemu.version} at ${qemu.binary}`);
    lines.push(`  ${accelerator}: ${qemu.acceleratorReason}`);
  }
  lines.push(`  can: ${info.features.join(", ") || "nothing optional"}`);
  if (limits !== undefined)
    lines.push("  limits", ...limitLines(limits).map((line) => `    ${line}`));
  return lines.join("\n");
}
