/*
 * A real proxy that speaks HTTP/2 itself (HAProxy in HTTP mode) between a controller and agents. Of
 * Debian's proxies it is the one whose package opens no port when it is installed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { until } from "../../harness/until.js";

const HAPROXY = "/usr/sbin/haproxy";

export interface Way {
  /** IPv4 address to listen on, and its port. */
  readonly host: string;
  readonly port: number;
  /** "host:port" of the agent behind it. */
  readonly agent: string;
}

/** Runs until `close`. */
export class HttpProxy {
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(configPath: string) {
    this.#process = spawn(HAPROXY, ["-db", "-f", configPath], { stdio: "ignore" });
    this.#exited = once(this.#process, "exit");
  }

  /** Resolves when it listens. Its configuration is written into `dir`. */
  static async start(dir: string, ways: readonly Way[]): Promise<HttpProxy> {
    const path = join(dir, "haproxy.cfg");
    writeFileSync(path, configuration(ways));
    const proxy = new HttpProxy(path);
    for (const way of ways) await until(`the proxy on port ${way.port}`, () => accepts(way));
    return proxy;
  }

  async close(): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#exited;
  }
}

/** Either end may be silent for a minute, which is more than the 10 s between two beats. */
function configuration(ways: readonly Way[]): string {
  const listeners = ways.map(
    ({ host, port, agent }, index) =>
      `listen way${index}\n  bind ${host}:${port} proto h2\n  server agent ${agent} proto h2\n`,
  );
  return `defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
${listeners.join("")}`;
}

async function accepts({ host, port }: Way): Promise<boolean> {
  const socket = connect(port, host);
  try {
    await once(socket, "connect"); // rejects if it is refused
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
