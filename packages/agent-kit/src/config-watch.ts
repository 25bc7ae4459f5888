/*
 * The configuration file, read again when it changes and on SIGHUP. What may change is changed in
 * place: everybody who holds the agent's Config sees the new values at the next look. A file that cannot
 * be used changes nothing: the old values stay in force, the log says what is wrong with it, and a
 * metric says so for as long as that is true.
 */
import { readFileSync } from "node:fs";
import type { AgentRole, Config } from "./config.js";
import { parseConfig } from "./config-file.js";
import { configChange } from "./config-live.js";
import type { Logger } from "./logs.js";
import type { Metrics } from "./metrics.js";
import { ConfigError } from "./yaml-file.js";

/** How often the file is looked at, in milliseconds. Its text is compared: a mount may be swapped under its name. */
const LOOK_MS = 10_000;

export interface ConfigWatchOptions {
  readonly path: string;
  readonly role: AgentRole;
  /** What the file said when it was read. */
  readonly config: Config;
  readonly log: Logger;
}

export class ConfigWatch {
  readonly #changed: (() => void)[] = [];
  readonly #options: ConfigWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #metrics: Metrics | undefined;
  /** The agent's own, which is changed in place. */
  #inForce: Config;
  /** What is in force, as the file alone has it. */
  #file: Config;
  /** What was read last, so that one text is judged once. */
  #text: string | undefined;
  #good = true;
  #waiting = 0;

  constructor(options: ConfigWatchOptions) {
    this.#options = options;
    this.#inForce = options.config;
    this.#file = { ...options.config };
    this.#text = read(options.path).text;
    this.#timer = setInterval(() => this.look(), LOOK_MS);
    this.#timer.unref();
  }

  /** From now on changes `config`, which may have been completed since it was read, and tells how reading goes. */
  follow(config: Config, metrics: Metrics): void {
    this.#inForce = config;
    this.#metrics = metrics;
    this.#tell();
  }

  /** Looks at the file now. `asked`: by a person, who wants to hear of it even if nothing changed. */
  look(asked = false): void {
    const { path, role, log } = this.#options;
    const { text, trouble } = read(path);
    if (text === this.#text && !asked) return;
    this.#text = text;
    try {
      if (text === undefined) throw trouble;
      const change = configChange(this.#file, parseConfig(text, role, path));
      this.#file = change.config;
      const { migration, limits, timeouts, log: logs } = change.config;
      Object.assign(this.#inForce, { migration, limits, timeouts, log: logs }); // readonly for everybody else
      log.level = logs.level;
      this.#good = true;
      this.#waiting = change.waiting.length;
      const { taken, waiting } = change;
      log.info({ path, taken, waiting }, "configuration read again");
      if (waiting.length > 0) {
        log.warn({ path, waiting }, "these keys changed, and wait until this agent is restarted");
      }
      this.#metrics?.config.reloads.inc({ outcome: "taken" });
      if (taken.length > 0) for (const changed of this.#changed) changed();
    } catch (error) {
      this.#good = false;
      const reason = error instanceof ConfigError ? error.message : String(error);
      log.error({ path, reason }, "the configuration cannot be used; the old one stays in force");
      this.#metrics?.config.reloads.inc({ outcome: "refused" });
    }
    this.#tell();
  }

  /** `changed` is called after every change that was taken. */
  onChange(changed: () => void): void {
    this.#changed.push(changed);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tell(): void {
    this.#metrics?.fileRefused.set({ file: "config" }, this.#good ? 0 : 1);
    this.#metrics?.config.waiting.set(this.#waiting);
  }
}

function read(path: string): { text?: string; trouble?: unknown } {
  try {
    return { text: readFileSync(path, "utf8") };
  } catch (trouble) {
    return { trouble };
  }
}
