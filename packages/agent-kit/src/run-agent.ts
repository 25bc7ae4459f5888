/*
 * What both agents' programs do: read the command line and the configuration, start the agent, end
 * it on a signal. Exit codes: 0 ended as told; 1 a bug, or a shutdown that did not end; 2 it could
 * not start, and standard error says why and what to do.
 */
import { parseArgs } from "node:util";
import { makePlacement } from "@ferry/qemu";
import { Certificates } from "./certificates.js";
import { type AgentRole, agentIdOf, type Config } from "./config.js";
import { loadConfig } from "./config-file.js";
import { ConfigWatch } from "./config-watch.js";
import { type Logger, openLog } from "./logs.js";
import { checkMachine } from "./node-check.js";
import { BUILT_IN } from "./policy.js";
import { loadPolicy } from "./policy-file.js";
import { endOnSignals } from "./shutdown.js";
import { VERSION } from "./version.js";

/** An agent that runs. */
export interface RunningAgent {
  /** Where it listens: its gRPC port, and the port of its metrics. */
  readonly port: number;
  readonly metricsPort: number;
  /** Of the port that has health and no TLS, if it has one. */
  readonly healthPort: number | undefined;
  /** Ends it in order: no new work, tethers cut, guests that had not landed killed and reaped. */
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly log: Logger;
  /** The file `config` came from, which may change it; undefined without one. */
  readonly watch?: ConfigWatch | undefined;
}

export interface AgentProgram {
  readonly role: AgentRole;
  start(config: Config, options: StartOptions): Promise<RunningAgent>;
}

/**
 * Signals that must not end an agent, and its tethers with it, whatever sends them (a log rotation, a terminal
 * that is closed), from its first moment. Unheard, Node.js would open its debugger on SIGUSR1, to everybody on
 * this machine.
 */
const HARMLESS = ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const;
const NOT_USED =
  "this signal means nothing here: SIGHUP reads the configuration again, SIGTERM ends the agent";

/** Left for the log and the servers after guests were given `drain_ms`, in milliseconds. */
const STOP_MARGIN_MS = 5_000;

export async function runAgent({ role, start }: AgentProgram): Promise<void> {
  const program = `ferry-${role}-agent`;
  const signals = new Map<NodeJS.Signals, () => void>();
  for (const signal of HARMLESS) process.on(signal, () => signals.get(signal)?.());
  try {
    const asked = readCommandLine();
    if (asked.help) {
      process.stdout.write(help(program));
      return;
    }
    if (asked.version) {
      process.stdout.write(`${program} ${VERSION}\n`);
      return;
    }
    checkMachine();
    const config = loadConfig(asked.config, role);
    if (asked["check-config"]) {
      checkFiles(config);
      process.stdout.write(`${asked.config ?? "defaults"}: fine\n`);
      return;
    }
    if (asked["prepare-host"]) {
      await makePlacement(config.qemu.cgroups);
      process.stdout.write(`cgroups for guests: ${config.qemu.cgroups.join(" ") || "none"}\n`);
      return;
    }
    const agentId = agentIdOf(config.hostId, role);
    const { log, flush, flushNow } = openLog({ ...config.log, base: { agent_id: agentId } });
    log.info({ version: VERSION, config }, "starting");
    const { config: path } = asked;
    const watch = path === undefined ? undefined : new ConfigWatch({ path, role, config, log });
    for (const signal of HARMLESS) signals.set(signal, () => log.warn({ signal }, NOT_USED));
    signals.set("SIGHUP", () => {
      if (watch === undefined) log.warn("SIGHUP: there is no configuration file to read again");
      else watch.look(true);
    });
    try {
      const starting = start(config, { log, watch });
      // From its first moment: it takes calls before its start is over, and those are owed their end in order.
      endOnSignals({
        log,
        flush,
        flushNow,
        stop: async () => (await starting).stop(),
        withinMs: config.timeouts.drainMs + STOP_MARGIN_MS,
      });
      await starting;
    } catch (error) {
      log.fatal({ err: error }, "cannot start");
      flushNow();
      throw error;
    }
  } catch (error) {
    process.stderr.write(`${program}: ${words(error)}\n`);
    process.exit(2);
  }
}

function readCommandLine() {
  const { values } = parseArgs({
    options: {
      config: { type: "string" },
      "check-config": { type: "boolean", default: false },
      "prepare-host": { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
      version: { type: "boolean", default: false },
    },
  });
  return values;
}

/** Reads what the configuration names, as a start would. */
function checkFiles(config: Config): void {
  const log = openLog({ level: "fatal", base: {} }).log;
  const policy = config.policy === undefined ? BUILT_IN : loadPolicy(config.policy);
  if (config.plaintext) return;
  const { tls: files, hostId } = config;
  new Certificates({ files, hostId, log, policy: { current: policy } }).stop();
}

/** An error and what led to it, for a person. */
function words(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${words(error.cause)}`;
}

function help(program: string): string {
  return `Usage: ${program} [--config FILE] [--check-config | --prepare-host]

  --config FILE    YAML; docs/agent.example.yaml shows every key with its default.
                   Without it everything is at its default.
  --check-config   Only say whether the configuration and its files can be used.
  --prepare-host   Only make the directories of qemu.cgroups, which takes more rights than
                   an agent needs (the root of a cgroup hierarchy is not writable without).
  --version        Say which version this is.
  -h, --help       Say this.

SIGHUP reads the file again, which also happens by itself when it changes: migration, limits, timeouts and
log.level take effect at once, the rest after a restart. A file that cannot be used changes nothing.
SIGUSR1 and SIGUSR2 are noted and do nothing. SIGTERM and SIGINT end it in order; a second one ends it at once.
`;
}
