/*
 * A small real program that speaks QMP on a unix socket, for tests. It greets, answers
 * `qmp_capabilities`, and leaves every other command to the test.
 */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const GREETING = {
  QMP: { version: { qemu: { major: 7, minor: 2, micro: 22 }, package: "" }, capabilities: ["oob"] },
};

export interface Command {
  readonly execute?: string;
  readonly "exec-oob"?: string;
  readonly arguments?: unknown;
  readonly id: number;
}

export interface FakeMonitorOptions {
  /** What is said to a new client; null says nothing. */
  readonly greeting?: string | null;
  /** What a command does; by default nothing. */
  readonly onCommand?: (command: Command, monitor: FakeMonitor) => void;
}

export class FakeMonitor {
  readonly path: string;
  readonly commands: Command[] = [];
  readonly #server: Server;
  #client: Socket | undefined;

  private constructor(
    readonly dir: string,
    private readonly options: FakeMonitorOptions,
  ) {
    this.path = join(dir, "qmp");
    this.#server = createServer((client) => this.#serve(client));
  }

  static async directory(): Promise<string> {
    return mkdtemp(join(tmpdir(), "ferry-qmp-"));
  }

  static async start(options: FakeMonitorOptions = {}, dir?: string): Promise<FakeMonitor> {
    const monitor = new FakeMonitor(dir ?? (await FakeMonitor.directory()), options);
    monitor.#server.listen(monitor.path);
    await once(monitor.#server, "listening");
    return monitor;
  }

  say(message: unknown): void {
    this.write(`${JSON.stringify(message)}\r\n`);
  }

  write(bytes: string | Buffer): void {
    this.#client?.write(bytes);
  }

  hangUp(): void {
    this.#client?.destroy();
  }

  async stop(): Promise<void> {
    this.hangUp();
    this.#server.close();
    await rm(this.dir, { recursive: true, force: true });
  }

  #serve(client: Socket): void {
    this.#client = client;
    client.on("error", () => {});
    const { greeting = JSON.stringify(GREETING) } = this.options;
    if (greeting !== null) this.write(`${greeting}\r\n`);
    let text = "";
    client.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (text + chunk).split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) this.#hear(JSON.parse(line));
    });
  }

  #hear(command: Command): void {
    if (command.execute === "qmp_capabilities") {
      this.say({ return: {}, id: command.id });
      return;
    }
    this.commands.push(command);
    this.options.onCommand?.(command, this);
  }
}
