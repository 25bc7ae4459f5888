/* A real Prometheus, Debian's, that watches a test's hosts and evaluates the alerts as they ship. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rulesYaml } from "@ferry/monitoring";
import type { Hosts } from "../harness/hosts.js";
import { until } from "../harness/until.js";
import { metricsAddress } from "./scrape.js";

const PORT = 9090;
/** How long an alert may take to fire or to go, on a busy machine, in milliseconds. */
const ALERT_MS = 90_000;

export interface FiringAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: string;
}

/**
 * The rules as they ship, in a hurry: a test does not wait for minutes. What must hold before somebody is told
 * holds for a second; what is looked back on is twenty seconds; waits of 15 s and 60 s are 3 s and 6 s. Nothing else differs.
 */
function hurried(rules: string): string {
  return rules
    .replace(/ for: \w+$/gm, " for: 1s")
    .replace(/\[\w+\]/g, "[20s]")
    .replace(/(process_start_time_seconds) < \d+/g, "$1 < 20")
    .replace(/(awaiting_verdict_seconds) > 15/g, "$1 > 3")
    .replace(/(awaiting_verdict_seconds) > 60/g, "$1 > 6");
}

export class Prometheus {
  readonly #url: string;
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(hosts: Hosts) {
    const dir = join(hosts.dir, "prometheus");
    mkdirSync(dir);
    const targets = hosts.all.flatMap((host) =>
      (["source", "destination"] as const).map((role) => metricsAddress(host, role)),
    );
    const config = {
      global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
      rule_files: ["rules.yaml"],
      scrape_configs: [{ job_name: "ferry", static_configs: [{ targets }] }],
    };
    writeFileSync(join(dir, "rules.yaml"), hurried(rulesYaml()));
    writeFileSync(join(dir, "prometheus.yaml"), JSON.stringify(config)); // every JSON text is YAML
    const address = `${hosts.network.ownAddress}:${PORT}`;
    this.#url = `http://${address}`;
    const options = [
      `--config.file=${join(dir, "prometheus.yaml")}`,
      `--storage.tsdb.path=${join(dir, "data")}`,
      `--web.listen-address=${address}`,
      "--log.level=warn",
    ];
    const log = openSync(join(dir, "log"), "w");
    this.#process = spawn("prometheus", options, { stdio: ["ignore", log, log] });
    closeSync(log);
    this.#exited = new Promise((resolve) => {
      this.#process.once("error", resolve);
      this.#process.once("exit", () => resolve(new Error(readFileSync(join(dir, "log"), "utf8"))));
    });
  }

  /** Starts it, and waits until it has seen every agent. Throws if it is not installed. */
  static async start(hosts: Hosts): Promise<Prometheus> {
    const prometheus = new Prometheus(hosts);
    const ended = prometheus.#exited.then((error) => {
      throw new Error("Prometheus is needed: apt-get install prometheus", { cause: error });
    });
    ended.catch(() => {}); // it is ended in the end
    const seen = until("Prometheus to see every agent", async () => {
      const up = await prometheus.query("sum(up)").catch(() => undefined);
      return up === hosts.all.length * 2;
    });
    await Promise.race([seen, ended]);
    return prometheus;
  }

  /** The first sample of an instant query. */
  async query(expr: string): Promise<number | undefined> {
    const data = (await this.#get(`query?query=${encodeURIComponent(expr)}`)) as {
      readonly result: readonly { readonly value: readonly [number, string] }[];
    };
    const value = data.result[0]?.value[1];
    return value === undefined ? undefined : Number(value);
  }

  async firing(name: string): Promise<FiringAlert | undefined> {
    const { alerts } = (await this.#get("alerts")) as { readonly alerts: readonly FiringAlert[] };
    return alerts.find(({ labels, state }) => labels.alertname === name && state === "firing");
  }

  /** Waits until it fires, and gives what a person would be told. */
  fires(name: string): Promise<FiringAlert> {
    return until(`${name} to fire`, () => this.firing(name), ALERT_MS);
  }

  async resolves(name: string): Promise<void> {
    const gone = async () => (await this.firing(name)) === undefined;
    await until(`${name} to be over`, gone, ALERT_MS);
  }

  async end(): Promise<void> {
    if (this.#process.pid === undefined) return;
    const exited = once(this.#process, "exit");
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill("SIGKILL");
    await exited;
  }

  async #get(path: string): Promise<unknown> {
    const response = await fetch(`${this.#url}/api/v1/${path}`, {
      headers: { connection: "close" },
    });
    const answer = (await response.json()) as { readonly data: unknown };
    return answer.data;
  }
}
