import { type Agent, getInfo } from "@ferry/client";
import { Accelerator, type GetInfoResponse } from "@ferry/contract";
import type { Command } from "commander";
import { EXIT, PLAIN_EXIT_HELP } from "../exit.js";
import { silenceOf } from "../failure.js";
import { limitLines } from "../limit-lines.js";
import { type Shell, withFleet } from "../shell.js";
import { count } from "../units.js";

/** How long an agent may take to introduce itself, in milliseconds. */
const ASK_MS = 10_000;

export function addInfo(program: Command, shell: Shell): void {
  program
    .command("info")
    .description("Shows what every agent is and can do: versions, QEMU, limits, features.")
    .argument("[hosts...]", "only these hosts")
    .option("--json", "one JSON object per agent")
    .addHelpText("after", `\nExample:\n  ferry info a\n\n${PLAIN_EXIT_HELP}`)
    .action((names: string[], flags: { json?: boolean }, command: Command) =>
      withFleet(command, async (fleet) => {
        for (const name of names.length > 0 ? names : fleet.names) {
          const { expected, ...host } = fleet.host(name);
          for (const end of ["source", "destination"] as const)
            await show(name, host[end], expected[end], flags, shell);
        }
      }),
    );
}

async function show(
  host: string,
  agent: Agent,
  expected: string,
  { json }: { json?: boolean },
  shell: Shell,
): Promise<void> {
  try {
    const info = await getInfo(agent, { timeoutMs: ASK_MS });
    if (json) shell.json({ host, address: agent.address, info });
    else shell.print(describe(agent.address, info));
    if (expected === "" || info.agentId === expected) return;
    shell.note(`host ${host}: ${agent.address} is ${info.agentId}, and ${expected} was meant`);
    shell.note("next: Correct the address in the hosts file, or the name it stands under.");
    shell.exit(EXIT.error);
  } catch (error) {
    shell.note(`host ${host}: ${agent.address} ${silenceOf(error)}`);
    shell.exit(EXIT.error);
  }
}

function describe(address: string, info: GetInfoResponse): string {
  const { qemu, limits } = info;
  const lines = [
    `${info.agentId} at ${address}${info.draining ? ", draining: it takes no new work" : ""}`,
    `  ferry ${info.version}, agents' protocol ${info.protocolVersion}, ${count(info.guests, "guest")}`,
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
