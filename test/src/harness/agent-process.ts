/*
 * One agent as a real process, started from what was built. What it logs goes to a file that outlives
 * it, so that a test can ask what an agent said before it was killed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Agent, type Security } from "@ferry/client";
import { HealthCheckResponse_ServingStatus, HealthService } from "@ferry/contract";
import { type ChannelOptions, credentials } from "@grpc/grpc-js";
import { until } from "./until.js";

/** An agent asks QEMU several things before it serves, and a machine may be busy. */
const READY_MS = 120_000;

export type AgentRole = "source" | "destination";

/** One line of an agent's log. */
export interface LogLine {
  readonly msg: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly [field: string]: unknown;
}

export interface AgentProcessOptions {
  readonly role: AgentRole;
  readonly configPath: string;
  readonly logPath: string;
  /** "host:port" of its gRPC port, for asking after its health. */
  readonly address: string;
  readonly security: Security;
  /** The command line that runs it once. Default: what was built here. */
  command?(role: AgentRole, configPath: string): readonly string[];
  /** The command line that runs a program on the agent's host. */
  inside(argv: readonly string[]): string[];
}

const mainOf = (role: AgentRole) =>
  fileURLToPath(new URL(`../../../services/${role}-agent/dist/main.cjs`, import.meta.url));

export class AgentProcess {
  #process: ChildProcess | undefined;
  #exited: Promise<number | null> = Promise.resolve(0);

  constructor(readonly options: AgentProcessOptions) {}

  /** 0 while it does not run. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Starts it. `ready` waits until it takes calls. */
  start(): void {
    if (this.#process !== undefined) throw new Error(`the ${this.options.role} agent runs already`);
    const { role, configPath, logPath } = this.options;
    const argv = this.options.command?.(role, configPath) ?? [
      ...[process.execPath, mainOf(role)],
      ...["--config", configPath],
    ];
    const [program = "", ...args] = this.options.inside(argv);
    const log = openSync(logPath, "a");
    // nsenter becomes the program it runs, so the child's pid is the agent's.
    const child = spawn(program, args, { stdio: ["ignore", log, log] });
    closeSync(log);
    this.#process = child;
    this.#exited = new Promise((resolve) => {
      child.once("error", () => resolve(null));
      child.once("exit", (code) => {
        if (this.#process === child) this.#process = undefined;
        resolve(code);
      });
    });
  }

  /** Waits until it says SERVING; tells its last words if it ends instead. */
  async ready(): Promise<void> {
    const { address, role, logPath } = this.options;
    const agent = this.dial();
    try {
      await until(
        `the ${role} agent at ${address} to serve`,
        async () => {
          if (this.#process === undefined) {
            const words = readFileSync(logPath, "utf8").trim().split("\n").slice(-3).join("\n");
            throw new Error(`the ${role} agent ended instead of serving:\n${words}`);
          }
          return agent
            .unary(HealthService.check, { service: "" }, { timeoutMs: 1_000 })
            .then(({ status }) => status === HealthCheckResponse_ServingStatus.SERVING)
            .catch(() => false);
        },
        READY_MS,
      );
    } finally {
      agent.close();
    }
  }

  /** A connection of its own to it; whoever asks for it closes it. */
  dial(options: ChannelOptions = {}): Agent {
    return new Agent(this.options.address, this.#credentials(), options);
  }

  /** SIGKILL, reaped. */
  async kill9(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#exited;
  }

  /** SIGTERM. Gives its exit code once it has ended. */
  async stop(): Promise<number | null> {
    this.#process?.kill("SIGTERM");
    return this.#exited;
  }

  /** SIGHUP: reads its configuration file again. */
  hangUp(): void {
    this.#process?.kill("SIGHUP");
  }

  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  async restart(): Promise<void> {
    await this.kill9();
    this.start();
    await this.ready();
  }

  /** What it logged so far, since its first start. */
  log(): LogLine[] {
    const lines = readFileSync(this.options.logPath, "utf8").split("\n");
    return lines.flatMap((line) => {
      try {
        return [JSON.parse(line) as LogLine];
      } catch {
        return []; // Node's own words, or a line not yet whole
      }
    });
  }

  #credentials() {
    const { tls } = this.options.security;
    if (tls === undefined) return credentials.createInsecure();
    const [ca, key, cert] = [tls.ca, tls.key, tls.cert].map((pem) => Buffer.from(pem));
    return credentials.createSsl(ca ?? null, key, cert, { checkServerIdentity: () => undefined });
  }
}
