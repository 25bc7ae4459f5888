/*
 * Whole hosts for a test: two agents each as real processes, in a network of their own, with state and
 * sockets in one private folder. What is started here is ended here, by process id, and `close` says
 * what would have been left behind.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Host as Client, connectHost, type Security } from "@ferry/client";
import { AgentProcess, type AgentRole } from "./agent-process.js";
import { certificateFiles, makeCertificates } from "./certificates.js";
import { makeNetwork, type Network, type Place } from "./network.js";
import { processesMentioning, signal } from "./processes.js";
import { until } from "./until.js";

const PORTS = { source: 7701, destination: 7702 } as const;
const HEALTH_PORTS = { source: 7711, destination: 7712 } as const;
export const METRICS_PORTS = { source: 9701, destination: 9702 } as const;

const KEEPALIVE = { timeMs: 1_000, timeoutMs: 3_000 };
const PATIENT_KEEPALIVE = { timeMs: 10_000, timeoutMs: 30_000 };
const PATIENT_TIMEOUTS = {
  meet_stale_ms: 20_000,
  switchover_margin_ms: 30_000,
  stall_ms: 60_000,
};
const PLAINTEXT: Security = { plaintext: true };

export type ConfigSections = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface HostsOptions {
  /** How many; named "host-1", "host-2", … Default 2. */
  readonly count?: number;
  /** With certificates of their own CA, or as in a trial. Default "plaintext". */
  readonly security?: "mtls" | "plaintext";
  /** What all addresses are. "ipv6" needs network namespaces. Default "ipv4". */
  readonly family?: "ipv4" | "ipv6";
  /** True: on loopback addresses, also where hosts could have networks of their own. No link can be cut. */
  readonly loopback?: boolean;
  /** Server keepalive. Default 1 s / 3 s: a frozen or cut-off caller is noticed within 4 s. */
  readonly keepalive?: { readonly timeMs: number; readonly timeoutMs: number };
  /**
   * True: no deadline that a busy machine could miss, for tests which are about something else. A
   * frozen or cut-off caller is then noticed only after 40 s.
   */
  readonly patient?: boolean;
  /**
   * Merged into every agent's configuration, section by section, by the file's own names. `own`: the
   * address at which agents reach the test itself.
   */
  readonly config?: ConfigSections | ((own: string) => ConfigSections);
  /** The same of one host alone, by its name; it has the last word. */
  readonly configOf?: Readonly<Record<string, ConfigSections>>;
  /** Absolute folders and files that guests may name, beside the private one. */
  readonly allowedPaths?: readonly string[];
  /** A tmpfs for run directories, as /run is in earnest. Default: they are in the private folder. */
  readonly runDirOn?: string | undefined;
  /** The command line of an agent that is to be started; `dir` is the private folder. Default: what was built here. */
  readonly command?: (role: AgentRole, configPath: string, dir: string) => readonly string[];
}

/** One host of a test. */
export interface TestHost extends Place {
  readonly stateDir: string;
  readonly runDir: string;
  readonly source: AgentProcess;
  readonly destination: AgentProcess;
  /** A controller's view of it, held by the test itself. */
  readonly client: Client;
}

export class Hosts {
  readonly network: Network;
  /** The private folder. Its name stands in the command line of everything that was started. */
  readonly dir: string;
  readonly all: readonly TestHost[];
  /** How the test speaks to them. */
  readonly security: Security;
  /** Holds the run directories, if they are not in the private folder. */
  readonly #elsewhere: string | undefined;

  private constructor(options: HostsOptions) {
    this.dir = mkdtempSync(join(tmpdir(), "fy-")); // short: sockets have short names
    if (options.runDirOn !== undefined)
      this.#elsewhere = mkdtempSync(join(options.runDirOn, "fy-"));
    this.network = makeNetwork(options.family, options);
    const places = Array.from({ length: options.count ?? 2 }, (_, index) =>
      this.network.add(`host-${index + 1}`),
    );
    this.security =
      options.security === "mtls" ? makeCertificates(this.certificatesDir, places) : PLAINTEXT;
    this.all = places.map((place, index) => this.#host(place, index + 1, options));
  }

  /** One folder per host and one for the controller; there with security "mtls". */
  get certificatesDir(): string {
    return join(this.dir, "certs");
  }

  /** Starts them all, and waits until every agent takes calls. */
  static async start(options: HostsOptions = {}): Promise<Hosts> {
    const hosts = new Hosts(options);
    try {
      for (const agent of hosts.#agents()) agent.start();
      await Promise.all(hosts.#agents().map((agent) => agent.ready()));
      return hosts;
    } catch (error) {
      await hosts.close();
      throw error;
    }
  }

  /** The first two. */
  get pair(): readonly [TestHost, TestHost] {
    const [one, two] = this.all;
    if (one === undefined || two === undefined) throw new Error("there are fewer than two hosts");
    return [one, two];
  }

  /** Ends the agents and whatever else still runs here, and removes every file and link. */
  async close(): Promise<void> {
    for (const host of this.all) host.client.close();
    await Promise.all(
      this.#agents().map((agent) => {
        agent.thaw();
        return agent.kill9();
      }),
    );
    // A QEMU first asked for may still be on its way: look until nothing is left.
    await until("everything that was started here to end", () => {
      const left = processesMentioning(`${this.dir}/`);
      for (const { pid } of left) signal(pid, "SIGKILL");
      return left.length === 0;
    });
    this.network.remove();
    for (const dir of [this.dir, this.#elsewhere]) {
      if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
    }
  }

  /** Keepers and QEMUs that run, and run directories that are there. For tests that leave nothing. */
  leftovers(): string[] {
    const agents = new Set(this.#agents().map(({ pid }) => pid));
    const running = processesMentioning(`${this.dir}/`)
      .filter(({ pid }) => !agents.has(pid))
      .map(({ pid, commandLine }) => `process ${pid}: ${commandLine.slice(0, 120)}`);
    const folders = this.all.flatMap((host) =>
      readdirSync(host.runDir, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => join(host.runDir, entry.name)),
    );
    return [...running, ...folders];
  }

  #agents(): AgentProcess[] {
    return this.all.flatMap(({ source, destination }) => [source, destination]);
  }

  #host(place: Place, number: number, options: HostsOptions): TestHost {
    const dir = join(this.dir, `${number}`);
    const stateDir = join(dir, "state");
    const runDir = join(dir, "run");
    mkdirSync(stateDir, { recursive: true });
    if (this.#elsewhere === undefined) mkdirSync(runDir);
    else symlinkSync(mkdtempSync(join(this.#elsewhere, "run-")), runDir); // known by its own name
    const agent = (role: AgentRole) => {
      const configPath = join(dir, `${role}.yaml`);
      const config = this.#config(place, role, { stateDir, runDir, options });
      writeFileSync(configPath, JSON.stringify(config, null, 2)); // every JSON text is YAML
      return new AgentProcess({
        role,
        configPath,
        logPath: join(dir, `${role}.log`),
        address: at(place, PORTS[role]),
        security: this.security,
        ...(options.command === undefined
          ? {}
          : { command: (...agent) => options.command?.(...agent, this.dir) ?? [] }),
        inside: (argv) => this.network.inside(place, argv),
      });
    };
    const client = connectHost({
      source: at(place, PORTS.source),
      destination: at(place, PORTS.destination),
      hostId: place.name,
      ...this.security,
    });
    return {
      ...place,
      stateDir,
      runDir,
      source: agent("source"),
      destination: agent("destination"),
      client,
    };
  }

  #config(
    { name, address }: Place,
    role: AgentRole,
    { stateDir, runDir, options }: { stateDir: string; runDir: string; options: HostsOptions },
  ): Record<string, unknown> {
    const usual = options.patient === true ? PATIENT_KEEPALIVE : KEEPALIVE;
    const { timeMs, timeoutMs } = options.keepalive ?? usual;
    const ours: Record<string, Record<string, unknown>> = {
      qemu: {
        accelerator: "tcg",
        allowed_paths: [this.dir, ...(options.allowedPaths ?? [])],
      },
      migration: { listen_host: address, advertise_host: address },
      keepalive: { time_ms: timeMs, timeout_ms: timeoutMs },
      limits: { memory_reserve_bytes: 64 * 1024 * 1024 },
      timeouts: options.patient === true ? PATIENT_TIMEOUTS : {},
    };
    const { config = {} } = options;
    const everybodys = typeof config === "function" ? config(this.network.ownAddress) : config;
    for (const sections of [everybodys, options.configOf?.[name] ?? {}]) {
      for (const [section, keys] of Object.entries(sections)) {
        ours[section] = { ...ours[section], ...keys };
      }
    }
    return {
      host_id: name,
      listen: at({ address }, PORTS[role]),
      advertise: at({ address }, PORTS[role]),
      health_listen: at({ address }, HEALTH_PORTS[role]),
      metrics_listen: at({ address }, METRICS_PORTS[role]),
      metrics_tls: false, // who may look there has tests of its own
      state_dir: stateDir,
      run_dir: runDir,
      ...(this.security.tls === undefined
        ? { plaintext: true }
        : { tls: certificateFiles(this.certificatesDir, name) }),
      ...ours,
    };
  }
}

/** "host:port", as everybody reads it. */
function at({ address }: Pick<Place, "address">, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
