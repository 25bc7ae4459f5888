/* One agent's program alone, as a process in a directory of its own, for what no pair of hosts is needed for. */
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { AgentRole } from "../../harness/agent-process.js";
import { until } from "../../harness/until.js";

const START_TIMEOUT_MS = 60_000;

export interface ProgramConfig {
  readonly path: string;
  readonly yaml: string;
  readonly runDir: string;
}

/** Writes a configuration in which everything is in `dir`, and every port any that is free. */
export function configIn(
  dir: string,
  { qemu = "accelerator: tcg", more = [] }: { qemu?: string; more?: readonly string[] } = {},
): ProgramConfig {
  const path = join(dir, "agent.yaml");
  const runDir = join(dir, "run");
  const yaml = [
    "host_id: host-1",
    "plaintext: true",
    'listen: "127.0.0.1:0"',
    'metrics_listen: "127.0.0.1:0"',
    'health_listen: "127.0.0.1:0"',
    `state_dir: ${join(dir, "state")}`,
    `run_dir: ${runDir}`,
    `qemu: {${qemu}}`,
    ...more,
  ].join("\n");
  writeFileSync(path, yaml);
  return { path, yaml, runDir };
}

export interface Program {
  readonly child: ChildProcess;
  readonly ended: Promise<{
    readonly code: number | null;
    readonly out: string;
    readonly err: string;
  }>;
  /** All it has said. */
  log(): string;
  /** The first line of its log that has those words, once there is one; rejects if it ended without. */
  said(words: string): Promise<Record<string, unknown>>;
}

/** Whoever starts it ends it. */
export function startProgram(role: AgentRole, configPath: string): Program {
  const program = fileURLToPath(
    new URL(`../../../../services/${role}-agent/dist/main.cjs`, import.meta.url),
  );
  const child = spawn(process.execPath, [program, "--config", configPath], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  let over = false;
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    child.on("close", (code) => {
      over = true;
      resolve({ code, out, err });
    });
  });
  const said = (words: string) =>
    until(
      `the ${role} agent to say ${words}`,
      () => {
        const line = out.split("\n").find((each) => each.includes(words));
        if (line === undefined && over) throw new Error(`it ended without ${words}: ${err}`);
        return line !== undefined && (JSON.parse(line) as Record<string, unknown>);
      },
      START_TIMEOUT_MS,
    );
  return { child, ended, log: () => `${out}${err}`, said };
}
