/*
 * A host with one agent that can be started, killed with a keeper at its side, and asked what was left behind. Its
 * QEMUs can be made to wait before they are one.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { AgentServiceClient, type ListOrphansResponse } from "@ferry/contract";
import { findTraces, type Trace } from "@ferry/qemu";
import { credentials } from "@grpc/grpc-js";
import type { AgentRole } from "../../harness/agent-process.js";
import { processesMentioning, signal } from "../../harness/processes.js";
import { until } from "../../harness/until.js";
import { configIn, type Program, startProgram } from "./program.js";

const QEMU = "/usr/bin/qemu-system-x86_64";

export class LoneHost {
  readonly dir: string;
  readonly runDir: string;
  readonly yaml: string;
  readonly #role: AgentRole;
  readonly #config: string;
  readonly #gate: string;
  #agent: Program | undefined;

  /** Ended, and all of it removed, after the test. */
  constructor(t: TestContext, role: AgentRole) {
    this.#role = role;
    this.dir = mkdtempSync(join(tmpdir(), "flh-"));
    this.#gate = join(this.dir, "gate");
    const binary = join(this.dir, "qemu");
    // A QEMU that is only asked something is not held back: its arguments begin otherwise.
    const holdBack = `[ "$1" != -nodefaults ] || [ ! -p ${this.#gate} ] || read -r go <${this.#gate}`;
    writeFileSync(binary, `#!/bin/sh\n${holdBack}\nexec ${QEMU} "$@"\n`);
    chmodSync(binary, 0o700);
    const qemu = `accelerator: tcg, binary: ${binary}`;
    const { path, yaml, runDir } = configIn(this.dir, { qemu });
    this.#config = path;
    this.yaml = yaml;
    this.runDir = runDir;
    t.after(() => this.#remove());
  }

  /** What the agent has said since it was started last. */
  log(): string {
    return this.#agent?.log() ?? "";
  }

  /** Answers its address, and how to ask it for orphans, once it listens; it may not take calls yet. */
  async start() {
    this.#agent = startProgram(this.#role, this.#config);
    const { address } = await this.#agent.said('"secure"'); // its own, not that of its health
    const agents = new AgentServiceClient(String(address), credentials.createInsecure());
    const orphans = (sweep: boolean) =>
      new Promise<ListOrphansResponse>((resolve, reject) => {
        agents.listOrphans({ expectedAgentId: "", sweep }, (error, response) =>
          error === null ? resolve(response) : reject(error),
        );
      });
    return { address: String(address), orphans };
  }

  /** The next QEMUs wait, before they are one, until what this answers is called. */
  holdBack(): () => void {
    execFileSync("mkfifo", [this.#gate]);
    return () => {
      writeFileSync(this.#gate, "go\n");
      rmSync(this.#gate);
    };
  }

  /** SIGKILL for both; the guest's QEMU is left alone. The agent is frozen first, or it would see its keeper's end. */
  async killBoth(keeper: number): Promise<void> {
    this.#agent?.child.kill("SIGSTOP");
    process.kill(keeper, "SIGKILL");
    await this.killAgent();
  }

  async killAgent(): Promise<void> {
    this.#agent?.child.kill("SIGKILL");
    await this.#agent?.ended;
  }

  async trace(): Promise<Trace | undefined> {
    return (await findTraces({ runDir: this.runDir, cgroups: [] }))[0];
  }

  async #remove(): Promise<void> {
    await this.killAgent();
    await until("every process of it to be gone", () => {
      const left = processesMentioning(`${this.dir}/`);
      for (const { pid } of left) signal(pid, "SIGKILL");
      return left.length === 0;
    });
    rmSync(this.dir, { recursive: true, force: true });
  }
}
